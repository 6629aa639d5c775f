import { createVirtualClock } from "../../src/adapters/embedded/clock.ts";
import type { NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import { startEmbedded } from "../../src/app/compose-embedded.ts";
import { changeLine, deadLetterLine, segmentLine, timelineLine } from "../../src/app/result-lines.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import { segmentAt } from "../../src/domain/explain.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { timeline } from "../../src/domain/timeline.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";

/** Lines of the four results (I3); those of changes and segments without `seq`. */
export interface Lines {
  readonly changes: readonly string[];
  readonly segments: readonly string[];
  readonly timeline: readonly string[];
  readonly deadLetters: readonly string[];
}

/** What the pipeline makes of records in this order: log, merge, batches, states encoded and read back, sweep. */
export async function replayByPipeline(
  records: readonly NewRecord[],
  asOf: Instant,
  policy: Policy,
): Promise<Lines> {
  const clock = createVirtualClock(instant(0));
  const changes: string[] = [];
  const deadLetters: string[] = [];
  const tell = (customerId: string, change: SegmentChange | null): void => {
    // What is decided now tells so; a replay, that it is one.
    const told: SegmentChange | null =
      change === null ? null : { ...change, decidedAt: asOf, origin: "REPLAY" };
    changes.push(JSON.stringify(withoutSeq(changeLine(customerId, told))));
  };
  const engine = await startEmbedded({
    policy,
    clock,
    onCommitted(output) {
      for (const { customerId, change } of output.changes) tell(customerId, change);
      for (const { record, reason, message } of output.deadLetters) {
        const { name = "", line = 0 } = record.file ?? {};
        const value = Buffer.from(record.value ?? "");
        deadLetters.push(JSON.stringify(deadLetterLine({ file: name, line }, value, reason, message)));
      }
    },
  });
  await engine.append(records);
  await engine.settle();
  clock.advanceTo(asOf);
  await engine.settle();
  const segments: string[] = [];
  const transitions: string[] = [];
  for await (const customer of engine.customers()) {
    const { customerId } = customer.state;
    const segment = segmentAt(customer, asOf, policy);
    const { version, hash } = policy;
    if (segment !== null) {
      const line = segmentLine({ customerId, asOf, ...segment, seq: 0, policy: { version, hash } });
      segments.push(JSON.stringify(withoutSeq(line)));
    }
    for (const transition of timeline(customer, asOf, policy)) {
      transitions.push(JSON.stringify(timelineLine({ customerId, ...transition })));
    }
  }
  await engine.stop();
  return { changes, segments, timeline: transitions, deadLetters };
}

export function withoutSeq(line: object): object {
  return { ...line, seq: undefined };
}
