// Wall clocks of labs. A tablet may stand in another zone than the animals.

const formats = new Map<string, Intl.DateTimeFormat>();

/** The wall clock of an instant in a zone, ISO without a zone: 2026-03-09T09:30:00. */
export function wallAt(at: Date, zone: string): string {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    formats.set(zone, format);
  }
  const part = Object.fromEntries(format.formatToParts(at).map((one) => [one.type, one.value]));
  return `${part["year"]}-${part["month"]}-${part["day"]}T${part["hour"]}:${part["minute"]}:${part["second"]}`;
}

/** "today 09:30", "yesterday 09:30" or the date. */
export function whenWords(wall: string, now: Date, zone: string): string {
  const today = wallAt(now, zone).slice(0, 10);
  const yesterday = wallAt(new Date(now.getTime() - 86_400_000), zone).slice(0, 10);
  const day = wall.slice(0, 10);
  if (day === today) return `today ${wall.slice(11, 16)}`;
  if (day === yesterday) return `yesterday ${wall.slice(11, 16)}`;
  return day;
}
