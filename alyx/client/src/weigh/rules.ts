// Weight and water of one animal on one day: the arithmetic of subjects/rules/water.py, operation by operation, so that a tablet
// says the same as the server. A test gives both the same thousands of cases. The constants come from the server.

export type Status = "neutral" | "fine" | "warning" | "failed" | "critical";

export interface Rules {
  more_ml_per_g: number;
  less_ml_per_g: number;
  warning_margin: number;
  hair: number;
  heavy: number;
  jump: number;
  jump_days: number;
  least_g: number;
}

/** What is known of an animal on a day; null: not known. Weights in grams, implants as recorded. */
export interface Case {
  weight_g: number | null;
  implant_g: number;
  is_restricted: boolean;
  is_first_day: boolean;
  reference_g: number | null;
  reference_is_entered: boolean;
  reference_implant_g: number;
  mean_then: number | null;
  sd_then: number | null;
  mean_now: number | null;
  sd_now: number | null;
  reference_pct: number;
  zscore_pct: number;
  floor: number;
  reward_ml: number;
  supplement_ml: number;
  is_adlib: boolean;
}

/** null: not available. */
export interface Numbers {
  implant_g: number | null;
  reference_g: number | null;
  zscored_g: number | null;
  expected_g: number | null;
  percentage: number | null;
  min_g: number | null;
  warning_g: number | null;
  floor_g: number | null;
  expected_ml: number | null;
  given_ml: number;
  remaining_ml: number | null;
  excess_ml: number | null;
  status: Status;
}

/** The case with a weight of that day in it. On the restriction's first day it is the reference, if none was entered. */
export function withWeight(known: Case, weight_g: number): Case {
  const isReference = known.is_restricted && known.is_first_day && !known.reference_is_entered;
  return { ...known, weight_g, reference_g: isReference ? weight_g : known.reference_g };
}

/** The case with more water given outside sessions. */
export function withWater(known: Case, volume_ml: number): Case {
  return { ...known, supplement_ml: known.supplement_ml + volume_ml };
}

export function judge(known: Case, rules: Rules): Numbers {
  const reference = known.reference_g;
  const implant = believed(known.implant_g, known.weight_g ?? reference, rules);
  const referenceImplant = believed(known.reference_implant_g, reference, rules);
  const threshold = known.reference_pct + known.zscore_pct;
  let rw = number(reference) - number(referenceImplant);
  if (!(known.is_restricted && rw > 0)) rw = NaN;
  const z = (rw - number(known.mean_then)) / number(known.sd_then);
  const zw = number(known.sd_now) * z + number(known.mean_now);
  const weight = number(known.weight_g);
  const net = weight - number(implant);
  // a part that weighs nothing needs no value
  let base = (known.zscore_pct > 0 ? known.zscore_pct * zw : 0) + (known.reference_pct > 0 ? known.reference_pct * rw : 0) + rw * 0;
  if (!(threshold > 0 && base > 0)) base = NaN;
  const body = base / threshold;
  const minimum = base + number(implant);
  const perGram = weight < minimum - rules.hair ? rules.more_ml_per_g : rules.less_ml_per_g;
  const expected_ml = found(Math.max(perGram * net, 0));
  const given_ml = known.reward_ml + known.supplement_ml;
  const remaining_ml = expected_ml !== null && known.is_restricted && !known.is_adlib ? expected_ml - given_ml : null;
  return {
    implant_g: implant,
    reference_g: known.is_restricted ? reference : null,
    zscored_g: found(zw),
    expected_g: found(body + number(implant)),
    percentage: found((100 * net) / body),
    min_g: found(minimum),
    warning_g: found((threshold + rules.warning_margin) * body + number(implant)),
    floor_g: found(known.floor * body + number(implant)),
    expected_ml,
    given_ml,
    remaining_ml,
    excess_ml: remaining_ml === null ? null : -remaining_ml,
    status: standing(net / body, threshold, known, rules),
  };
}

/** The only place that decides a colour. `part`: the weight without implant, as a part of the expected one. */
function standing(part: number, threshold: number, known: Case, rules: Rules): Status {
  if (!known.is_restricted || !Number.isFinite(part)) return "neutral";
  if (part < known.floor - rules.hair) return "critical";
  if (part < threshold - rules.hair) return "failed";
  if (part < threshold + rules.warning_margin - rules.hair) return "warning";
  return "fine";
}

/** The implant's weight; null when it is too heavy for the body to be true. */
function believed(implant: number, body: number | null, rules: Rules): number | null {
  if (body === null || body <= 0) return implant;
  return implant >= rules.heavy * body ? null : implant;
}

function number(value: number | null): number {
  return value === null ? NaN : value;
}

function found(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
