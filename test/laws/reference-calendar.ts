const formats = new Map<string, Intl.DateTimeFormat>();
const days = new Map<string, Map<number, LocalDay>>();
const HOUR = 3_600_000;

export interface LocalDay {
  readonly year: number;
  /** 1…12. */
  readonly month: number;
  readonly day: number;
}

/** The local date of an instant, as the platform tells it. */
export function localDay(at: number, timezone: string): LocalDay {
  let known = days.get(timezone);
  if (known === undefined) days.set(timezone, (known = new Map<number, LocalDay>()));
  let found = known.get(at);
  if (found === undefined) known.set(at, (found = asked(at, timezone)));
  return found;
}

function asked(at: number, timezone: string): LocalDay {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: timezone,
      year: "numeric",
      month: "numeric",
      day: "numeric",
    });
    formats.set(timezone, format);
  }
  const parts = format.formatToParts(at);
  const part = (type: string): number => Number(parts.find((each) => each.type === type)!.value);
  return { year: part("year"), month: part("month"), day: part("day") };
}

/** The first instant of the first day of a month; `month` may be greater than 12. Zones change by whole quarters of an hour. */
export function localMonthStart(year: number, month: number, timezone: string): number {
  const nominal = Date.UTC(year, month - 1);
  const { year: y, month: m } = localDay(nominal + 12 * HOUR, "UTC");
  for (let at = nominal - 15 * HOUR; ; at += HOUR / 4) {
    const day = localDay(at, timezone);
    if (day.year === y && day.month === m) return at;
  }
}
