import {
  EmbeddedLog,
  type EmbeddedLogOptions,
  type NewRecord,
} from "../../../src/adapters/embedded/embedded-log.ts";
import { createSystemClock } from "../../../src/adapters/embedded/clock.ts";
import type { FactTopic } from "../../../src/domain/events.ts";
import type { BatchOutput } from "../../../src/pipeline/ports.ts";
import type { LogHarness } from "../../contract/log-suite.ts";
import { changeOf, segmentOf } from "../../contract/test-output.ts";

export function newRecord(topic: FactTopic, eventId: string, customerId = "c1"): NewRecord {
  return { topic, key: Buffer.from(customerId), value: Buffer.from(eventId) };
}

/** The suite's view of an embedded log, in memory or in a folder. */
export async function embeddedHarness(
  make: (options: EmbeddedLogOptions) => EmbeddedLog | Promise<EmbeddedLog>,
  onClose: () => void = () => undefined,
): Promise<LogHarness> {
  const outputs: BatchOutput[] = [];
  const log = await make({
    shards: 1,
    clock: createSystemClock(),
    input: "endless",
    keep: "all",
    onCommitted: (_, output) => void outputs.push(output),
  });
  return {
    customerId: "c1",
    open: () => Promise.resolve(log.open(0)),
    append: (topic, eventIds) => log.append(eventIds.map((eventId) => newRecord(topic, eventId))),
    eventIdOf: ({ value }) => Buffer.from(value ?? []).toString(),
    change: (customerId, changeId, seq) => ({ customerId, change: changeOf(customerId, changeId, seq) }),
    segment: (customerId, seq) => ({ customerId, segment: segmentOf(customerId, seq) }),
    output: () =>
      Promise.resolve({
        changes: outputs.flatMap(({ changes }) =>
          changes.map(({ customerId, change }) => [customerId, change?.changeId ?? null] as const),
        ),
        segments: outputs.flatMap(({ segments }) =>
          segments.map(({ customerId, segment }) => [customerId, segment?.seq ?? null] as const),
        ),
        deadLetters: outputs.flatMap(({ deadLetters }) =>
          deadLetters.map(({ reason, message }) => [reason, message] as const),
        ),
      }),
    async close() {
      await log.close();
      onClose();
    },
  };
}
