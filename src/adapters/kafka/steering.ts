import type { Consumer } from "kafkajs";
import kafkajs from "./kafkajs.ts";
import type { ShardConsumer } from "./shard-log.ts";

interface SteeringLogger {
  debug(fields: object, message: string): void;
}

/**
 * Steers a consumer's partitions. Between a crash of the consumer and its next join kafkajs has no group to steer, and throws. Nothing
 * is lost by not steering: with the join every shard reads on from its own position.
 */
export class Steering {
  readonly #logger: SteeringLogger;
  /** For the shards, by the names of the facts' topics. */
  readonly consumer: ShardConsumer;

  constructor(consumer: Consumer, prefix: string, logger: SteeringLogger) {
    this.#logger = logger;
    this.consumer = {
      pause: (topic, shard) =>
        this.steer(() => consumer.pause([{ topic: prefix + topic, partitions: [shard] }])),
      resume: (topic, shard) =>
        this.steer(() => consumer.resume([{ topic: prefix + topic, partitions: [shard] }])),
      seek: (topic, shard, offset) =>
        this.steer(() => consumer.seek({ topic: prefix + topic, partition: shard, offset: String(offset) })),
    };
  }

  steer(steer: () => void): void {
    try {
      steer();
    } catch (error) {
      if (!(error instanceof kafkajs.KafkaJSNonRetriableError)) throw error;
      this.#logger.debug({ error: error.message }, "the consumer is away, steering waits for its return");
    }
  }
}
