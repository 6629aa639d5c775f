import type { Entry } from "./ledger.ts";
import type { SeenInput, SeenTopics, Violation } from "./observed.ts";

type Report = (violation: Violation) => void;

/** What the broker acknowledged is where it said: otherwise nothing that follows means anything. */
export function checkInputs(ledger: readonly Entry[], inputs: readonly SeenInput[], report: Report): void {
  const found = new Map(inputs.map((seen) => [placeOf(seen), seen.entry]));
  for (const { index, topic, partition, offsets, customerId, ackedAt } of ledger) {
    if (offsets.length === 0) {
      report({
        kind: "never acknowledged",
        customerId,
        expected: `${topic}-${partition}`,
        found: null,
        at: null,
      });
    }
    for (const offset of offsets) {
      const place = placeOf({ topic, partition, offset });
      if (found.get(place) === index) continue;
      report({
        kind: "acknowledged record is not in the log",
        customerId,
        expected: { entry: index, place },
        found: found.get(place) ?? null,
        at: ackedAt,
      });
    }
  }
  for (const seen of inputs) {
    if (ledger[seen.entry] !== undefined) continue;
    report({
      kind: "record of nobody",
      customerId: null,
      expected: null,
      found: placeOf(seen),
      at: seen.appendedAt,
    });
  }
}

/** S2.3: each bad record that is in the log is in the dead letters once, with its reason and its bytes; no good one is. */
export function checkDeadLetters(ledger: readonly Entry[], topics: SeenTopics, report: Report): void {
  const letters = new Map<string, SeenTopics["deadLetters"][number][]>();
  for (const letter of topics.deadLetters) {
    const place = placeOf(letter.source);
    letters.set(place, [...(letters.get(place) ?? []), letter]);
  }
  for (const seen of topics.inputs) {
    const entry = ledger[seen.entry];
    const reason = entry?.refused ?? null;
    const found = letters.get(placeOf(seen)) ?? [];
    letters.delete(placeOf(seen));
    const reasons = found.map((letter) => letter.reason);
    const expected = reason === null ? [] : [reason];
    if (reasons.join() !== expected.join()) {
      report({
        kind: found.length > expected.length ? "doubled dead letter" : "lost dead letter",
        customerId: entry?.customerId ?? null,
        expected: { place: placeOf(seen), reasons: expected },
        found: reasons,
        at: seen.appendedAt,
      });
    }
    for (const letter of found) {
      if (letter.entry === seen.entry && letter.partition === seen.partition) continue;
      report({
        kind: "dead letter is not what was refused",
        customerId: entry?.customerId ?? null,
        expected: { entry: seen.entry, partition: seen.partition },
        found: { entry: letter.entry, partition: letter.partition },
        at: seen.appendedAt,
      });
    }
  }
  for (const [place, found] of letters) {
    report({
      kind: "dead letter of nothing",
      customerId: null,
      expected: null,
      found: { place, times: found.length },
      at: null,
    });
  }
}

function placeOf({ topic, partition, offset }: { topic: string; partition: number; offset: number }): string {
  return `${topic}-${partition}@${offset}`;
}
