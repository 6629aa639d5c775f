import type { Kafka, KafkaConfig, LogEntry } from "kafkajs";
import { patchIdleTimer } from "./idle-timer-patch.ts";
import kafkajs, { UNKNOWN_SOURCES } from "./kafkajs.ts";

/** How brokers are reached. */
export interface KafkaConnection {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: KafkaConfig["ssl"] | null;
  readonly sasl: KafkaConfig["sasl"] | null;
  /** Opens connections another way, such as through a proxy. */
  readonly socketFactory?: KafkaConfig["socketFactory"];
}

/** What kafkajs says goes here: it reports as errors what is normal in a broker's first seconds (A10). */
export interface DebugLogger {
  debug(fields: object, message: string): void;
}

/** A kafkajs client with this project's defaults. */
export function createKafkaClient(connection: KafkaConnection, logger: DebugLogger): Kafka {
  patchIdleTimer((message) => logger.debug({}, message));
  for (const file of UNKNOWN_SOURCES)
    logger.debug(
      { file },
      "kafkajs is not the version whose slow paths are known: this file is left as it is",
    );
  return new kafkajs.Kafka({
    brokers: [...connection.brokers],
    clientId: connection.clientId,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    enforceRequestTimeout: true,
    retry: { retries: 5, initialRetryTime: 50, maxRetryTime: 2_000 },
    logLevel: kafkajs.logLevel.DEBUG,
    logCreator:
      () =>
      ({ label, namespace, log }: LogEntry) => {
        // Below this level kafkajs tells of every request.
        if (label === "DEBUG") return;
        logger.debug({ kafkajs: namespace, level: label, error: log["error"] as unknown }, log.message);
      },
    ...(connection.socketFactory === undefined ? {} : { socketFactory: connection.socketFactory }),
    ...(connection.ssl === null || connection.ssl === undefined ? {} : { ssl: connection.ssl }),
    ...(connection.sasl === null || connection.sasl === undefined ? {} : { sasl: connection.sasl }),
  });
}
