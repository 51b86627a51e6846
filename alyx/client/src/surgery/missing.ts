/** What is still to be said when a surgery ends: the same as subjects/rules/surgery.py. */

import type { View } from "./fold";

export function missingAtEnd(view: View, outcome: string): Map<string, string> {
  const missing = new Map<string, string>();
  const list = (name: string): unknown[] => (Array.isArray(view.fields[name]?.value) ? (view.fields[name]?.value as unknown[]) : []);
  const leaves = view.parts.some((part) => part.part === "headplate" || part.part === "implant");
  const kinds = new Set(view.parts.map((part) => part.part));
  const implied = ["headplate", "craniotomy", "injection", "perfusion", "implant"].some((kind) => kinds.has(kind));
  if (list("users").length === 0) missing.set("users", "who operated");
  if (list("procedures").length === 0 && !implied) missing.set("procedures", "what was done: at least one procedure");
  if (leaves && outcome !== "n" && asNumber(view.fields.implant_weight?.value) === null)
    missing.set("implant_weight", "how much the headplate and implants weigh, cement included");
  if (!view.drugs.some((drug) => drug.use === "analgesic" || drug.use === "anti-inflammatory"))
    missing.set("drugs", "which analgesic was given");
  return missing;
}

/** A field's number, from the server or as typed. */
export function asNumber(value: unknown): number | null {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return null;
  const said = Number(value.trim().replace(",", "."));
  return Number.isFinite(said) ? said : null;
}

/** The days on which the animal is to be looked at. */
export function checkDays(end: Date, zone: string, days: number[]): string[] {
  const today = new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(end);
  return [...new Set(days)]
    .sort((one, other) => one - other)
    .map((after) => new Date(Date.parse(`${today}T12:00:00Z`) + after * 86_400_000).toISOString().slice(0, 10));
}
