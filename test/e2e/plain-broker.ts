import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bringArtifacts } from "../../src/app/stack/artifacts.ts";
import { accepts, freePort } from "../../src/app/stack/ports.ts";
import { startChild, stopChild, waitUntilReady } from "../../src/app/stack/processes.ts";

/** A broker whose transactions can't work: their coordinator's topic asks for more replicas than there are brokers. */
export interface PlainBroker {
  readonly brokers: string;
  stop(): Promise<void>;
}

export async function startPlainBroker(): Promise<PlainBroker> {
  const dir = mkdtempSync(join(tmpdir(), "clientela-plain-broker-"));
  const { kafkaJars } = await bringArtifacts((text) => process.stderr.write(`${text}\n`));
  const port = await freePort();
  const controllerPort = await freePort();
  const properties = join(dir, "kafka.properties");
  writeFileSync(
    properties,
    [
      "process.roles=broker,controller",
      "node.id=1",
      `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
      "controller.listener.names=CONTROLLER",
      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
      `log.dirs=${join(dir, "data")}`,
      "auto.create.topics.enable=false",
      "offsets.topic.replication.factor=1",
      "offsets.topic.num.partitions=4",
      "transaction.state.log.replication.factor=3",
      "transaction.state.log.min.isr=3",
      "group.initial.rebalance.delay.ms=0",
      "group.coordinator.rebalance.protocols=classic,consumer",
      "",
    ].join("\n"),
  );
  const java = ["-Xmx384m", "-Xms96m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", kafkaJars];
  const id = randomBytes(16).toString("base64url");
  await promisify(execFile)("java", [
    ...java,
    "kafka.tools.StorageTool",
    "format",
    // As one word: an id may begin with a hyphen.
    `--cluster-id=${id}`,
    "-c",
    properties,
  ]);
  const child = startChild(dir, "kafka", port, "java", [...java, "kafka.Kafka", properties], process.env);
  const stop = async (): Promise<void> => {
    await stopChild(dir, child, 10_000);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const patience = { timeoutMs: 60_000, signal: new AbortController().signal };
    await waitUntilReady(dir, child, patience, () => accepts(port));
  } catch (error) {
    await stop();
    throw error;
  }
  return { brokers: `127.0.0.1:${port}`, stop };
}
