/** The date of the last call and its day: lines in order share it. Both are small integers, which take no memory of their own. */
let dateKey = -1;
let day = 0;

const DAY_MS = 86_400_000;
/** Days that each month has in every year. */
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** The instant of `2025-01-31T09:30:00Z` or `2025-01-31T09:30:00.000Z`, of days that every year has; null: another form. */
export function plainInstant(text: Buffer, from: number, to: number): number | null {
  const length = to - from;
  if ((length !== 20 && length !== 24) || text[to - 1] !== 0x5a) return null;
  const hours = two(text, from + 11);
  const minutes = two(text, from + 14);
  const seconds = two(text, from + 17);
  const century = two(text, from);
  const year = two(text, from + 2);
  const monthOfYear = two(text, from + 5);
  const dayOfMonth = two(text, from + 8);
  const isInstant =
    text[from + 4] === 0x2d &&
    text[from + 7] === 0x2d &&
    text[from + 10] === 0x54 &&
    text[from + 13] === 0x3a &&
    text[from + 16] === 0x3a &&
    hours <= 23 &&
    minutes <= 59 &&
    seconds <= 59 &&
    // What is no number is less than any.
    (hours | minutes | seconds | century | year | monthOfYear | dayOfMonth) >= 0;
  if (!isInstant) return null;
  let millis = 0;
  if (length === 24) {
    const first = two(text, from + 20);
    const last = (text[from + 22] ?? 0) - 0x30;
    if (text[from + 19] !== 0x2e || first < 0 || last < 0 || last > 9) return null;
    millis = first * 10 + last;
  }
  const key = ((century * 100 + year) * 100 + monthOfYear) * 100 + dayOfMonth;
  if (key !== dateKey) {
    const days = DAYS_OF_MONTH[monthOfYear - 1];
    if (century < 10 || days === undefined || dayOfMonth < 1 || dayOfMonth > days) return null;
    day = Date.UTC(century * 100 + year, monthOfYear - 1, dayOfMonth) / DAY_MS;
    dateKey = key;
  }
  return day * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
}

/** The number of two digits that begins here; below zero: none does. */
function two(text: Buffer, at: number): number {
  const tens = (text[at] ?? 0) - 0x30;
  const ones = (text[at + 1] ?? 0) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}
