import { InvalidArgumentError } from "commander";
import { parseInstant, type Instant } from "../shared/instant.ts";

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

/** Collects the values of an option that may be given several times. */
export function collected(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
