/** The volume of a drug from dose, weight and concentration: the same as subjects/rules/surgery.py. */

export interface Volume {
  exact: number;
  ml: number;
  explained: string;
}

/** To the finest mark of the syringe, halves upwards. */
export function drawnUp(exact: number): number {
  return Math.floor(exact * 100 + 0.5) / 100;
}

export function volumeOf(dose: number | null, weight: number | null, strength: number | null): Volume | undefined {
  if (!dose || !weight || !strength || dose <= 0 || weight <= 0 || strength <= 0) return undefined;
  const exact = (dose * weight) / 1000 / strength;
  const ml = drawnUp(exact);
  const explained = `${plain(dose)} mg/kg × ${plain(weight)} g / 1000 / ${plain(strength)} mg/mL = ${plain(Number(exact.toPrecision(4)))} mL`;
  return { exact, ml, explained };
}

/** A number without needless zeros. */
export function plain(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** A coordinate with its sign, to a tenth or as fine as it is. */
export function signed(value: number): string {
  const text = Math.abs(value) < 1e-9 ? "0.0" : Math.abs(value).toFixed(Math.abs(value * 10 - Math.round(value * 10)) > 1e-6 ? 2 : 1);
  return value < -1e-9 ? `−${text}` : value > 1e-9 ? `+${text}` : text;
}

/** One step on, without the crumbs of binary fractions. */
export function stepped(value: number, by: number): number {
  const digits = Math.max(decimals(by), decimals(value));
  return Number((value + by).toFixed(digits));
}

function decimals(value: number): number {
  return (String(value).split(".")[1] ?? "").length;
}
