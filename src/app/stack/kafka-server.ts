import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Artifacts } from "./artifacts.ts";
import { freePort } from "./ports.ts";
import { portFor, startChild, type Child } from "./processes.ts";

const run = promisify(execFile);

/** A port on which the broker listens, and the one that its clients there are told: a proxy's. */
export interface KafkaListener {
  readonly port: number;
  readonly advertisedPort: number;
}

/** For formatting, which asks for a whole configuration, and opens none of them. */
const NO_PORTS = { port: 1, controllerPort: 2 };

/**
 * Starts one KRaft node on its data in `dir`. `another`: not on the ports it had. `further`: addresses besides, whose ports are the
 * caller's.
 */
export async function startKafka(
  dir: string,
  { kafkaJars }: Artifacts,
  another: boolean,
  further: readonly KafkaListener[],
): Promise<Child> {
  const data = join(dir, "kafka-data");
  const properties = join(dir, "kafka.properties");
  const java = [
    "-Xmx512m",
    "-Xms128m",
    "-XX:+UseG1GC",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    kafkaJars,
  ];
  if (!existsSync(join(data, "meta.properties"))) {
    writeFileSync(properties, propertiesOf(data, NO_PORTS, []));
    const id = randomBytes(16).toString("base64url");
    // As one word: an id may begin with a hyphen, one in 64 does.
    await run("java", [...java, "kafka.tools.StorageTool", "format", `--cluster-id=${id}`, "-c", properties]);
  }
  // Only now: formatting takes as long as a start, and a port that is free may be taken meanwhile.
  const ports = { port: await portFor(dir, "kafka", another), controllerPort: await freePort() };
  writeFileSync(properties, propertiesOf(data, ports, further));
  return startChild(dir, "kafka", ports.port, "java", [...java, "kafka.Kafka", properties], process.env);
}

function propertiesOf(
  data: string,
  { port, controllerPort }: { readonly port: number; readonly controllerPort: number },
  further: readonly KafkaListener[],
): string {
  const named = further.map((listener, i) => ({ name: `FURTHER${i}`, ...listener }));
  const listeners = [
    `PLAINTEXT://127.0.0.1:${port}`,
    `CONTROLLER://127.0.0.1:${controllerPort}`,
    ...named.map((listener) => `${listener.name}://127.0.0.1:${listener.port}`),
  ];
  const advertised = [
    `PLAINTEXT://127.0.0.1:${port}`,
    ...named.map(({ name, advertisedPort }) => `${name}://127.0.0.1:${advertisedPort}`),
  ];
  const protocols = ["PLAINTEXT", "CONTROLLER", ...named.map(({ name }) => name)];
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=${listeners.join(",")}`,
    `advertised.listeners=${advertised.join(",")}`,
    "controller.listener.names=CONTROLLER",
    `listener.security.protocol.map=${protocols.map((name) => `${name}:PLAINTEXT`).join(",")}`,
    `log.dirs=${data}`,
    "num.partitions=8",
    "auto.create.topics.enable=false",
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=8",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.num.partitions=8",
    "transaction.state.log.min.isr=1",
    "share.coordinator.state.topic.replication.factor=1",
    "group.initial.rebalance.delay.ms=0",
    "group.coordinator.rebalance.protocols=classic,consumer",
    "",
  ].join("\n");
}
