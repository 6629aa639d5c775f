import { execFile } from "node:child_process";
import { zstdCompressSync } from "node:zlib";
import { Redis } from "ioredis";
import kafkajs, { type Message } from "kafkajs";
import { afterEach, describe, expect, inject, test } from "vitest";
import { OUTPUT_TOPICS } from "../../src/adapters/kafka/topics.ts";
import { builtInPolicy } from "../../src/app/policy-file.ts";
import { FACT_TOPICS } from "../../src/domain/events.ts";
import { RefusedError } from "../../src/pipeline/errors.ts";
import { murmur2, partitionOf } from "../../src/shared/murmur2.ts";
import { openRig, type Rig } from "./bad-input-rig.ts";

const PARTITIONS = 4;

let rig: Rig | null = null;
afterEach(async () => {
  await rig?.close();
  rig = null;
});

async function open(): Promise<Rig> {
  rig = await openRig(PARTITIONS);
  return rig;
}

/** Keys as somebody else's partitioner places them: one beside where they belong. */
function misplaced(count: number, from = 0): Message[] {
  return keyed(count, from).map((message) => ({
    ...message,
    partition: ((message.partition ?? 0) + 1) % PARTITIONS,
  }));
}

function keyed(count: number, from = 0): Message[] {
  return Array.from({ length: count }, (_, i) => {
    const key = Buffer.from(`customer-${from + i}`);
    return { key, value: "x", partition: partitionOf(key, PARTITIONS) };
  });
}

async function refusal(opened: Rig): Promise<RefusedError> {
  const error: unknown = await opened.start(builtInPolicy()).then(
    async (running) => {
      await running.stop();
      return null;
    },
    (refused: unknown) => refused,
  );
  expect(error).toBeInstanceOf(RefusedError);
  return error as RefusedError;
}

async function isUntouched({ admin, env }: Rig): Promise<void> {
  const application = env["CLIENTELA_APPLICATION_ID"] ?? "";
  const { groups } = await admin.listGroups();
  expect(groups.map(({ groupId }) => groupId).filter((id) => id.includes(application))).toEqual([]);
  const redis = new Redis(inject("endpoints").REDIS_URL);
  expect(await redis.keys(`*${application}*`)).toEqual([]);
  redis.disconnect();
}

describe("keys must sit where Java's murmur2 puts them (A3)", () => {
  test("a topic that another partitioner filled is refused, with all one needs but the key", async () => {
    const opened = await open();
    await opened.send("surveys", misplaced(40));
    const { code, message } = await refusal(opened);
    expect(code).toBe("KEYS_MISPLACED");
    const found =
      /(\d+) of (\d+) sampled keys.*offset (\d+) of partition (\d+).*hash ([0-9a-f]{8}).*partition (\d+) of 4/.exec(
        message,
      );
    expect(found, message).not.toBeNull();
    const [, wrong, sampled, , partition, hash, belongsIn] = found ?? [];
    expect(wrong).toBe(sampled);
    const key = misplaced(40).find(
      ({ key }) => (murmur2(key as Buffer) >>> 0).toString(16).padStart(8, "0") === hash,
    );
    expect(key?.partition).toBe(Number(partition));
    expect(partitionOf(key?.key as Buffer, PARTITIONS)).toBe(Number(belongsIn));
    expect(message).toContain(`${opened.prefix}surveys`);
    expect(message).toContain("murmur2_random");
    expect(message).not.toContain("customer-");
    await isUntouched(opened);
  });

  test("also when only what was written last is misplaced", async () => {
    const opened = await open();
    await opened.send("orders", keyed(500));
    await opened.send("orders", misplaced(400, 1000));
    expect((await refusal(opened)).code).toBe("KEYS_MISPLACED");
  });

  test("'run' says so in one line and ends with exit code 3", async () => {
    const opened = await open();
    await opened.send("orders", misplaced(10));
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(
        process.execPath,
        ["src/main.ts", "run"],
        { env: { ...process.env, ...opened.env, CLIENTELA_LOG_LEVEL: "error" }, timeout: 30_000 },
        (error, _stdout, text) =>
          resolve({ code: error === null ? 0 : (error.code ?? error.signal), stderr: text }),
      );
    });
    expect({ code, lines: stderr.trim().split("\n").length }, stderr).toEqual({ code: 3, lines: 1 });
    expect(stderr).toMatch(/^clientela: .*\[KEYS_MISPLACED\]/);
    await isUntouched(opened);
  });

  test("records without a key are no evidence, and one stray among many only warns", async () => {
    const opened = await open();
    await opened.send("orders", [
      ...keyed(30),
      ...Array.from({ length: 10 }, (_, i) => ({ value: "x", partition: i % 4 })),
    ]);
    const stray = misplaced(20, 500).find(({ partition }) => partition === 0);
    await opened.send("orders", stray === undefined ? [] : [stray]);
    await opened.send(
      "inquiries",
      Array.from({ length: 5 }, () => ({ key: null, value: "x", partition: 1 })),
    );
    const running = await opened.start(builtInPolicy());
    await running.stop();
    expect(opened.warnings).toMatchObject([{ topic: `${opened.prefix}orders`, misplaced: 1, partition: 0 }]);
    expect(JSON.stringify(opened.warnings)).not.toContain("customer-");
  });

  test("an input compressed in a way that can't be read is refused, not waited for", async () => {
    const opened = await open();
    const { ZSTD } = kafkajs.CompressionTypes;
    const known = kafkajs.CompressionCodecs[ZSTD];
    kafkajs.CompressionCodecs[ZSTD] = () => ({
      compress: ({ buffer }: { buffer: Buffer }) => Promise.resolve(zstdCompressSync(buffer)),
    });
    try {
      const topic = `${opened.prefix}orders`;
      await opened.producer.send({ topic, messages: keyed(5), compression: ZSTD });
    } finally {
      kafkajs.CompressionCodecs[ZSTD] = known;
    }
    const { code, message } = await refusal(opened);
    expect(code).toBe("COMPRESSION_UNKNOWN");
    expect(message).toMatch(/ZSTD.*gzip/);
    await isUntouched(opened);
  });

  test("looking takes no longer than a second, whatever is in the topics", async () => {
    const opened = await open();
    const large = Buffer.alloc(10_000, "x");
    for (const topic of ["orders", "inquiries", "surveys", "customers"]) {
      for (let i = 0; i < 5; i++) {
        await opened.send(
          topic,
          keyed(300, i * 300)
            .map((message) => ({ ...message, value: large }))
            .slice(0, 90),
        );
      }
    }
    const { checkKeys } = await import("../../src/adapters/kafka/key-check.ts");
    const startedAt = performance.now();
    await checkKeys(opened.kafka, opened.admin, {
      prefix: opened.prefix,
      shards: PARTITIONS,
      logger: { warn: () => undefined },
    });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

describe("topics must fit (A3)", () => {
  test("inputs with different numbers of partitions are refused, each with its number", async () => {
    const opened = await open();
    await grow(opened, ["surveys"]);
    const { code, message } = await refusal(opened);
    expect(code).toBe("PARTITIONS_DIFFER");
    expect(message).toContain(`${opened.prefix}surveys has 6`);
    expect(message).toContain(`${opened.prefix}orders has 4`);
    await isUntouched(opened);
  });

  test.each(OUTPUT_TOPICS)("%s with fewer partitions than there are shards is refused", async (output) => {
    const opened = await open();
    await grow(
      opened,
      [...FACT_TOPICS, ...OUTPUT_TOPICS].filter((topic) => topic !== output),
    );
    const { code, message } = await refusal(opened);
    expect(code).toBe("OUTPUT_PARTITIONS");
    expect(message).toContain(`${opened.prefix}${output} has 4`);
    expect(message).toContain("6 partitions");
    await isUntouched(opened);
  });

  test("an input whose records could not be dead-lettered is refused", async () => {
    const opened = await open();
    await setMaxBytes(opened, "orders", 16_777_216);
    const { code, message } = await refusal(opened);
    expect(code).toBe("DEAD_LETTERS_TOO_SMALL");
    expect(message).toContain("max.message.bytes");
    await isUntouched(opened);
  });

  test("a topic that is missing is named, and what makes it", async () => {
    const opened = await open();
    await opened.admin.deleteTopics({ topics: [`${opened.prefix}surveys`] });
    const { code, message } = await refusal(opened);
    expect(code).toBe("TOPICS_MISSING");
    expect(message).toContain(`${opened.prefix}surveys`);
    expect(message).toContain("clientela setup");
  });
});

/** Gives topics six partitions, and waits until the broker says so. */
async function grow({ admin, prefix }: Rig, topics: readonly string[]): Promise<void> {
  const names = topics.map((topic) => prefix + topic);
  await admin.createPartitions({ topicPartitions: names.map((topic) => ({ topic, count: 6 })) });
  await expect
    .poll(async () => {
      const metadata = await admin.fetchTopicMetadata({ topics: names });
      return metadata.topics.every(({ partitions }) => partitions.length === 6);
    })
    .toBe(true);
}

async function setMaxBytes({ admin, prefix }: Rig, topic: string, bytes: number): Promise<void> {
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: prefix + topic,
        configEntries: [{ name: "max.message.bytes", value: String(bytes) }],
      },
    ],
  });
}
