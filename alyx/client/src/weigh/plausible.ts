// Weights that cannot be, or are worth a second look: the limits of subjects/rules/plausible.py. Each answers a sentence or "".
import type { Rules } from "./rules";

const DAY_MS = 86_400_000;

/** Why this can be no weight of such an animal. */
export function weightIsAbsurd(weight_g: number, most_g: number, species: string, rules: Rules): string {
  if (weight_g <= 0) return `a weight of ${weight_g} g is none`;
  if (weight_g < rules.least_g || weight_g > most_g) return `${weight_g} g is no weight of ${species}`;
  return "";
}

/** Why the change since the last weighing is worth a second look. Times are wall clocks of the lab (ISO, without a zone). */
export function weightJumps(weight_g: number, wall: string, previous_g: number | null, previousWall: string | null, rules: Rules): string {
  if (previous_g === null || previousWall === null || previous_g <= 0 || weight_g <= 0) return "";
  const days = Math.min(Math.max(Math.abs(instant(wall) - instant(previousWall)) / DAY_MS, 1), rules.jump_days);
  const change = weight_g / previous_g - 1;
  if (Math.abs(change) <= rules.jump * days + 1e-9) return "";
  const percent = `${change > 0 ? "+" : "−"}${Math.round(Math.abs(change) * 100)} %`;
  return `${percent} since ${previous_g} g on ${previousWall.slice(0, 10)} at ${previousWall.slice(11, 16)}: the wrong animal, or a slip?`;
}

function instant(wall: string): number {
  return Date.parse(`${wall.slice(0, 23)}Z`);
}
