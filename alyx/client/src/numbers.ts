/** Numbers as people type them: 23,4 and 23.4 are the same; what is unclear is asked, never guessed. */

export type Parsed = { value: number; reason?: undefined } | { value?: undefined; reason: string };

const PLAIN = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)$/;
const GROUPED = /^[+-]?\d{1,3}([.,' ]\d{3})+([.,]\d+)?$/;

export function parseNumber(text: string): Parsed {
  const said = text.trim().replace(/[\u00a0\u202f\u2009]/g, " ").replace(/\u2212/g, "-");
  if (said === "") return { reason: "type a number" };
  if (PLAIN.test(said)) return { value: Number(said.replace(",", ".")) };
  if (GROUPED.test(said)) return { reason: `“${text.trim()}” can be read in two ways: type it without separators of thousands` };
  const unit = /^(.*?[\d.,])\s*(g|mg|µg|ml|µl|mm|µm|%|kg|mg\/kg)$/i.exec(said);
  if (unit?.[1] && PLAIN.test(unit[1])) return { reason: `type the number alone, without “${unit[2]}”` };
  return { reason: `“${text.trim()}” is not a number` };
}
