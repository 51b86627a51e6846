/** What the server says of surgeries, as `/bench/data/surgery…` sends it. */

export interface Card {
  id: string;
  nickname: string;
  lab: string;
  lab_name: string;
  cage: string;
  ear_mark: string;
  sex: string;
  born_on: string | null;
  died_on: string | null;
  age_weeks: number | null;
  weight_g: number | null;
  weighed: string | null;
  is_restricted: boolean;
  percentage: number | null;
  status: string;
  expected_g: number | null;
  min_g: number | null;
  implant_g: number | null;
  genotype: string[];
  line: string;
  strain: string;
  responsible: string;
  description: string;
  adverse: string;
  notes: string[];
  to_be_culled: boolean;
  surgeries: string[];
}

export interface Drug {
  id: string;
  lab: string | null;
  name: string;
  use: string;
  route: string;
  concentration_mg_per_ml: number | null;
  dose_mg_per_kg: number | null;
  dose_percent: number | null;
  max_dose_mg_per_kg: number | null;
}

export interface PlannedDrug {
  drug: string;
  dose_mg_per_kg?: number;
  dose_percent?: number;
  route?: string;
  repeat_h?: number;
}

export type Values = Record<string, string | number | boolean | null>;

export interface Template {
  id: string;
  lab: string;
  name: string;
  description: string;
  drugs: PlannedDrug[];
  parts: (Values & { part: string })[];
  events: string[];
  procedures: string[];
  implant_weight: number | null;
  outcome_type: string;
  anaesthetic: string;
  narrative: string;
  post_op_days: number[];
}

export interface Named {
  id: string;
  name: string;
}

export interface Running {
  id: string;
  subject: string;
  nickname: string;
  zone: string;
  started_at: string;
  people: string[];
}

export interface Room {
  read_at: string;
  user: Named;
  labs: { id: string; name: string; zone: string }[];
  animals: Card[];
  more: boolean;
  running: Running[];
  templates: Template[];
  drugs: Drug[];
  probe_models: Named[];
  procedures: Named[];
  virus_batches: Named[];
  locations: Named[];
  people: [string, string][];
  events: string[];
  analgesia_again_h: number;
}

export interface PlanItem {
  id: string;
  part: string;
  [column: string]: string | number | boolean | null;
}

export interface Happened {
  id: string;
  at: string;
  user?: string;
}

export interface EventItem extends Happened {
  what: string;
  value: number | null;
  unit: string;
}

export interface DrugItem extends Happened {
  drug: string;
  name: string;
  use: string;
  route: string;
  dose_mg_per_kg: number | null;
  dose_percent: number | null;
  weight_g: number | null;
  concentration_mg_per_ml: number | null;
  volume_ml: number | null;
}

export interface PartItem {
  id: string;
  part: string;
  at: string | null;
  values: Values;
  user?: string;
}

export interface PhotoItem extends Happened {
  url: string;
  text: string;
}

export type FieldValue = string | number | string[] | null;

export interface Surgery {
  read_at: string;
  /** Keys of entries that are in it. */
  applied: string[];
  id: string;
  zone: string;
  withdrawn: boolean;
  subject: Card;
  template: string | null;
  template_name: string;
  post_op_days: number[];
  plan: PlanItem[];
  fields: Record<string, FieldValue>;
  events: EventItem[];
  drugs: DrugItem[];
  parts: PartItem[];
  photos: PhotoItem[];
  checks: { due_on: string; done: boolean }[];
  missing: Record<string, string>;
  implant_before_g: number;
  may: boolean;
}
