/** Times as people type them, in the lab's zone. Pure. */

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Minutes of the day of `14:03`, `9:05`, `1403`, `14.03`; undefined: no time of day. */
export function minutesOf(said: string): number | undefined {
  const found = /^(\d{1,2})[:.h ]?(\d{2})$/.exec(said.trim());
  if (!found) return undefined;
  const [hour, minute] = [Number(found[1]), Number(found[2])];
  return hour < 24 && minute < 60 ? hour * 60 + minute : undefined;
}

/** `2026-03-09`, there. */
export function dayOf(instant: number, zone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date(instant));
}

/** How far the clocks there are ahead of UTC, in ms. */
function aheadMs(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }).formatToParts(new Date(instant));
  const of = (type: string): number => Number(parts.find((one) => one.type === type)?.value);
  return Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second")) - Math.floor(instant / 1000) * 1000;
}

/** The moment of that minute of the day there: of the days around `near`, the one that fits between `from` and `until`, else the nearest. */
export function momentAt(minutes: number, zone: string, near: number, from: number, until: number): number {
  const found = [-1, 0, 1].map((days) => {
    const day = Date.parse(`${dayOf(near, zone)}T00:00:00Z`) + days * DAY_MS;
    const wall = day + minutes * MINUTE_MS;
    const guess = wall - aheadMs(wall, zone);
    return wall - aheadMs(guess, zone);
  });
  const floor = Math.floor(from / MINUTE_MS) * MINUTE_MS;
  const fits = found.filter((at) => at >= floor && at <= until);
  return [...(fits.length ? fits : found)].sort((one, other) => Math.abs(one - near) - Math.abs(other - near))[0] ?? near;
}

/** What the server will ask about; empty when it will not. */
export function doubted(kind: string, at: number, startedAt: number | undefined, now: number): string {
  if (at > now + MINUTE_MS) return "in the future";
  if (kind !== "start" && startedAt !== undefined && at <= startedAt - MINUTE_MS) return "before the start of the surgery";
  return "";
}
