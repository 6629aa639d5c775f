import { InvalidArgumentError } from "commander";
import { instant, parseInstant, type Instant } from "../shared/instant.ts";

/** Parsers of option values; what they throw becomes one line and exit code 2. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return number;
  };
}

/** ISO 8601 with offset, or milliseconds since the epoch. */
export function instantValue(value: string): Instant {
  const at = parseInstant(/^-?\d+$/.test(value) ? Number(value) : value);
  if (at === null) {
    throw new InvalidArgumentError(
      "It must be ISO 8601 with an offset, such as 2025-01-31T00:00:00Z, or milliseconds.",
    );
  }
  return at;
}

const DURATION = /^P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;
/** Milliseconds of a week, a day, an hour, a minute, a second. */
const UNITS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1_000];

/** An instant, or an ISO 8601 duration such as P1D or PT2H: so long before now. */
export function instantOrAge(value: string): Instant {
  const parts: (string | undefined)[] | undefined = DURATION.exec(value)?.slice(1);
  if (parts === undefined) return instantValue(value);
  return instant(Date.now() - parts.reduce((sum, part, i) => sum + Number(part ?? 0) * (UNITS[i] ?? 0), 0));
}

/** Collects the values of an option that may be given several times. */
export function collected(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
