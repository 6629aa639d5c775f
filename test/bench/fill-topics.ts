import { join } from "node:path";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import type { Servers } from "../../src/app/compose-kafka.ts";
import { produce } from "../../src/app/produce.ts";
import { setup } from "../../src/app/setup.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { writeBenchFile } from "./bench-file.ts";

export interface Backlog {
  readonly servers: Servers;
  /** For the event file. */
  readonly dir: string;
  readonly partitions: number;
  readonly events: number;
  readonly customers: number;
}

/** Makes the topics and puts the realistic mix into them, as fast as it goes. */
export async function fillTopics(
  { servers, dir, partitions, events, customers }: Backlog,
  say: (text: string) => void,
): Promise<void> {
  const logger = createLogger("error");
  await setup({ servers, partitions, replicationFactor: 1, changesRetentionMs: DAY_MS, logger });
  const file = join(dir, "events.jsonl");
  await writeBenchFile(file, events, customers);
  await produce({
    servers,
    files: [file],
    rate: null,
    signal: new AbortController().signal,
    logger,
    onProgress: () => undefined,
    onRefused: (_file, line, why) => say(`line ${line}: ${why}`),
  });
}
