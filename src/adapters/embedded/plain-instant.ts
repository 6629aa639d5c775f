/** The date of the last call and its midnight: lines in order share it. */
let dateKey = -1;
let midnight = 0;

/** The instant of `2025-01-31T09:30:00Z` or `2025-01-31T09:30:00.000Z`, of days that every month has; null: another form. */
export function plainInstant(text: Buffer, from: number, to: number): number | null {
  const length = to - from;
  if ((length !== 20 && length !== 24) || text[to - 1] !== 0x5a) return null;
  const two = (at: number): number => {
    const tens = (text[from + at] ?? 0) - 0x30;
    const ones = (text[from + at + 1] ?? 0) - 0x30;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
  };
  const hours = two(11);
  const minutes = two(14);
  const seconds = two(17);
  const isTime =
    text[from + 4] === 0x2d &&
    text[from + 7] === 0x2d &&
    text[from + 10] === 0x54 &&
    text[from + 13] === 0x3a &&
    text[from + 16] === 0x3a &&
    hours <= 23 &&
    minutes <= 59 &&
    seconds <= 59;
  const key = (two(0) * 100 + two(2)) * 10_000 + two(5) * 100 + two(8);
  if (!isTime || Number.isNaN(key)) return null;
  let millis = 0;
  if (length === 24) {
    millis = two(20) * 10 + ((text[from + 22] ?? 0) - 0x30);
    const last = (text[from + 22] ?? 0) - 0x30;
    if (text[from + 19] !== 0x2e || Number.isNaN(millis) || last < 0 || last > 9) return null;
  }
  if (key !== dateKey) {
    const [year, month, day] = [two(0) * 100 + two(2), two(5), two(8)];
    if (year < 1000 || month < 1 || month > 12 || day < 1 || day > 28) return null;
    midnight = Date.UTC(year, month - 1, day);
    dateKey = key;
  }
  return midnight + ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
}
