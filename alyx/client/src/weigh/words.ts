// How numbers and states read.
import type { Animal } from "./data";
import type { Case, Numbers, Rules, Status } from "./rules";

export const SHAPES: Record<Status, string> = { fine: "●", neutral: "○", warning: "▲", failed: "■", critical: "◆" };
export const STANDS: Record<Status, string> = { fine: "fine", neutral: "", warning: "warning", failed: "below", critical: "critical" };

export function g(value: number | null, digits = 1): string {
  return value === null ? "–" : `${value.toFixed(digits)} g`;
}

export function mL(value: number | null): string {
  return value === null ? "–" : `${Math.max(value, 0).toFixed(2)} mL`;
}

/** As it was typed: no digit more. */
export function plain(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

/** As water is shown and given: less than a hundredth is nothing. */
export function hundredths(volume_ml: number): number {
  return Math.abs(volume_ml) < 0.0051 ? 0 : Math.round(volume_ml * 100) / 100;
}

/** What is left, or what is over, in words. */
export function restWords(remaining_ml: number | null): string {
  if (remaining_ml === null) return "";
  const left = hundredths(remaining_ml);
  if (left > 0) return `${left.toFixed(2)} mL still to give`;
  return left < 0 ? `${(-left).toFixed(2)} mL over` : "all water given";
}

/** The same where there is little room. */
export function restBriefly(remaining_ml: number | null): string {
  if (remaining_ml === null) return "";
  const left = hundredths(remaining_ml);
  if (left > 0) return `${left.toFixed(2)} mL to give`;
  return left < 0 ? `${(-left).toFixed(2)} mL over` : "all given";
}

/** Why this colour: the rule with its numbers, in one or two sentences. */
export function reasonOf(animal: Animal, known: Case, found: Numbers, rules: Rules): string {
  if (found.percentage === null || known.weight_g === null) {
    const why = known.weight_g === null ? "not weighed yet" : animal.why_not["percentage"] || animal.why_not["expected_g"] || animal.why_not["reference_g"];
    return why ? `No percentage: ${why}.` : "No percentage.";
  }
  const net = known.implant_g > 0 ? ` (${known.weight_g} − ${known.implant_g} g implant, of ${g(found.expected_g, 2)} − ${known.implant_g} g)` : ` (of ${g(found.expected_g, 2)})`;
  const threshold = Math.round((known.reference_pct + known.zscore_pct) * 1000) / 10;
  const floor = Math.round(known.floor * 1000) / 10;
  const margin = Math.round((known.reference_pct + known.zscore_pct + rules.warning_margin) * 1000) / 10;
  const verdict: Record<Status, string> = {
    critical: `below the floor of ${floor} % (${g(found.floor_g, 2)})`,
    failed: `below the minimum of ${threshold} % (${g(found.min_g, 2)})`,
    warning: `between the minimum of ${threshold} % (${g(found.min_g, 2)}) and ${margin} %`,
    fine: `above the minimum of ${threshold} % (${g(found.min_g, 2)})`,
    neutral: "",
  };
  return `${found.percentage.toFixed(1)} % of the expected weight${net}: ${verdict[found.status]}.`;
}

/** Where water stands today, with how it is worked out. */
export function waterOf(known: Case, found: Numbers, rules: Rules): string {
  if (!known.is_restricted) return "Not water restricted: it drinks as it likes.";
  if (known.is_adlib) return "Water ad libitum today.";
  if (found.expected_ml === null) return "Expected water is known once it is weighed.";
  const light = found.min_g !== null && known.weight_g !== null && known.weight_g < found.min_g - rules.hair;
  const perGram = light ? rules.more_ml_per_g : rules.less_ml_per_g;
  return `${found.expected_ml.toFixed(2)} mL today (${perGram} mL per g), ${found.given_ml.toFixed(2)} given: ${restWords(found.remaining_ml)}.`;
}
