import { DAY_MS } from "../shared/instant.ts";

/** Local days and months of a time zone (S1: only S3.3 and S4.5 use it). */
export interface Calendar {
  /** Number of the local day: days since 1970-01-01. */
  day(at: number): number;
  /** Number of the local month: year · 12 + month (January = 0). */
  month(at: number): number;
  /** The local midnight that opens a month; where the clock skips midnight, the first instant of that day. */
  monthStart(month: number): number;
}

class UtcCalendar implements Calendar {
  day(at: number): number {
    return Math.floor(at / DAY_MS);
  }
  month(at: number): number {
    return monthOfDay(Math.floor(at / DAY_MS));
  }
  monthStart(month: number): number {
    return Date.UTC(Math.floor(month / 12), ((month % 12) + 12) % 12);
  }
}

/** A zone by its offsets from UTC: `from[i]` is where `offsets[i]` begins to hold for days and months. */
class ZoneCalendar implements Calendar {
  readonly #from: readonly number[];
  readonly #offsets: readonly number[];

  constructor(from: readonly number[], offsets: readonly number[]) {
    this.#from = from;
    this.#offsets = offsets;
  }

  day(at: number): number {
    return Math.floor((at + this.#offsetAt(at)) / DAY_MS);
  }
  month(at: number): number {
    return monthOfDay(this.day(at));
  }
  monthStart(month: number): number {
    const local = Date.UTC(Math.floor(month / 12), ((month % 12) + 12) % 12);
    const day = Math.floor(local / DAY_MS);
    // Offsets stay within a day: the first instant of the local day lies within 36 h of the UTC midnight of that date.
    let low = local - 1.5 * DAY_MS;
    let high = local + 1.5 * DAY_MS;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.day(middle) >= day) high = middle;
      else low = middle;
    }
    return high;
  }

  #offsetAt(at: number): number {
    let low = 0;
    let high = this.#from.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#from[middle] ?? Infinity) <= at) low = middle;
      else high = middle;
    }
    return this.#offsets[low] ?? 0;
  }
}

const calendars = new Map<string, Calendar>([["UTC", new UtcCalendar()]]);

/** The calendar of an IANA zone. Its table (1989–2100) is made once per zone, about 15 ms. Throws RangeError on an unknown zone. */
export function calendarOf(timezone: string): Calendar {
  let calendar = calendars.get(timezone);
  if (calendar === undefined) {
    calendar = zoneCalendar(timezone);
    calendars.set(timezone, calendar);
  }
  return calendar;
}

const TABLE_FROM = Date.UTC(1989, 0, 1);
const TABLE_TO = Date.UTC(2100, 0, 1);
/** No zone changes its offset and back within this time. */
const STEP_MS = 7 * DAY_MS;

function zoneCalendar(timezone: string): Calendar {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsetAt = (at: number): number => {
    const fields: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(at)) fields[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
  };
  const from = [-Infinity];
  const offsets = [offsetAt(TABLE_FROM)];
  for (let at = TABLE_FROM; at < TABLE_TO; at += STEP_MS) {
    const offset = offsetAt(at + STEP_MS);
    if (offset === offsets.at(-1)) continue;
    let low = at;
    let high = at + STEP_MS;
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000;
      if (offsetAt(middle) === offset) high = middle;
      else low = middle;
    }
    // Where the clock is put back over midnight the day that had begun goes on: no day comes in two parts (S3.3).
    const begun = Math.floor((high - 1 + (offsets.at(-1) ?? 0)) / DAY_MS);
    from.push(Math.max(high, begun * DAY_MS - offset));
    offsets.push(offset);
  }
  return new ZoneCalendar(from, offsets);
}

/** Civil month of a day number (days since 1970-01-01), by the days-from-civil arithmetic of the proleptic Gregorian calendar. */
function monthOfDay(day: number): number {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 2 : marchMonth - 10;
  return (yearOfEra + era * 400 + (month <= 1 ? 1 : 0)) * 12 + month;
}
