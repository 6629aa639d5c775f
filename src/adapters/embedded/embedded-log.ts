import type { Decoded } from "../../domain/accept.ts";
import { FACT_TOPICS, type FactTopic, type Referral } from "../../domain/events.ts";
import { RetriableError } from "../../pipeline/errors.ts";
import type {
  BatchOutput,
  Clock,
  Committed,
  Offsets,
  ShardLog,
  ShardSource,
  SourceRecord,
} from "../../pipeline/ports.ts";
import { partitionOf } from "../../shared/murmur2.ts";
import { EmbeddedShardLog } from "./embedded-shard-log.ts";
import { Partition } from "./partition.ts";

/** What somebody appends; the log adds partition, offset and arrival. */
export interface NewRecord {
  readonly topic: FactTopic;
  /** null: the customer of `decoded` decides the partition; with neither it goes to the first. */
  readonly key?: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: SourceRecord["headers"];
  /** Lines of files have no arrival (S2.3); other records arrive when they are appended, unless this says otherwise. */
  readonly arrivedAt?: SourceRecord["arrivedAt"];
  readonly file?: NonNullable<SourceRecord["file"]>;
  readonly decoded?: Decoded;
}

/** What changes a log; a journal keeps them, in this order. */
export type LogEntry =
  | { readonly kind: "records"; readonly records: readonly SourceRecord[] }
  | {
      readonly kind: "commit";
      readonly shard: number;
      readonly committed: Committed;
      readonly output: BatchOutput;
      /** The output's referrals, as records of their topic. */
      readonly referrals: readonly SourceRecord[];
    };

/** Where a log comes from and goes to when it outlives its process. */
export interface LogJournal {
  /** Resolves when the entry is safe; whatever fails before that leaves no trace of it. */
  write(entry: LogEntry): Promise<void>;
  close(): Promise<void>;
}

export interface EmbeddedLogOptions {
  readonly shards: number;
  /** Stamps arrival. */
  readonly clock: Clock;
  /**
   * "endless": a topic without unread records is caught up, as in live operation. "until-end": more may come until
   * `end()`, so that no deadline is applied before (S7.1b); for files.
   */
  readonly input: "endless" | "until-end";
  /** "uncommitted": records that no recovery can ask for again are freed. "all": nothing is, so that state can be rebuilt. */
  readonly keep: "uncommitted" | "all";
  /** `append` waits while unread records weigh more than this. Default 16 MiB, about 25 000 small ones. */
  readonly bufferBytes?: number;
  /**
   * Gets each commit's output, in order per shard, before the commit resolves; a promise holds that shard back. What it
   * throws fails the commit for its shard although it is committed.
   */
  onCommitted?(shard: number, output: BatchOutput, committed: Committed): void | Promise<void>;
}

const DEFAULT_BUFFER_BYTES = 16 * 2 ** 20;
/** What a record weighs beside its bytes: the decoded event and its place in the queues, about. */
const RECORD_WEIGHT = 500;
type PlacedRecord = { -readonly [Field in keyof SourceRecord]: SourceRecord[Field] };

const NO_HEADERS: SourceRecord["headers"] = [];

interface ShardData {
  readonly partitions: Record<FactTopic, Partition>;
  readonly handles: Set<EmbeddedShardLog>;
  /** Grows with each `fence`; who holds another number is fenced. */
  fence: number;
  committed: Committed | null;
  /** Weight of what has been appended and not yet taken. */
  unread: number;
}

/**
 * Topics, partitions, transactions and group of one process (A8): what Kafka is to production. All shards belong to this
 * process; a shard may be opened again, and the one that fences last owns it.
 */
export class EmbeddedLog {
  readonly #options: EmbeddedLogOptions;
  readonly #shards: readonly ShardData[];
  readonly #journal: LogJournal | null;
  #isEnded = false;
  #unread = 0;
  readonly #waitingForRoom: (() => void)[] = [];
  /** The last change that was begun; with a journal they follow one another. */
  #lastChange: Promise<unknown> = Promise.resolve();

  /** `restored`: what a journal already holds, not written to it again. */
  constructor(
    options: EmbeddedLogOptions,
    journal: LogJournal | null = null,
    starts: readonly Offsets[] = [],
    restored: Iterable<LogEntry> = [],
  ) {
    this.#options = options;
    this.#journal = journal;
    this.#shards = Array.from({ length: options.shards }, (_, shard) => ({
      partitions: Object.fromEntries(
        FACT_TOPICS.map((topic) => [topic, new Partition(starts[shard]?.[topic] ?? 0)]),
      ) as Record<FactTopic, Partition>,
      handles: new Set<EmbeddedShardLog>(),
      fence: 0,
      committed: null,
      unread: 0,
    }));
    for (const entry of restored) this.#apply(entry);
  }

  /** All that was appended and no longer may be: from now on topics can be caught up in "until-end" mode. */
  end(): void {
    this.#isEnded = true;
    for (const data of this.#shards) for (const handle of data.handles) handle.wake();
  }

  /**
   * Appends in this order per topic and key; resolves when there is room for more. The records are in the log even if
   * nobody waits (without a journal at once).
   */
  async append(records: readonly NewRecord[]): Promise<void> {
    const now = this.#options.clock.now();
    await this.#change(() => ({
      kind: "records",
      records: this.#place(records, (record) => record.arrivedAt ?? (record.file === undefined ? now : null)),
    }));
    while (this.#unread > (this.#options.bufferBytes ?? DEFAULT_BUFFER_BYTES)) {
      await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve));
    }
  }

  /** A new handle on a shard; it owns the shard once it has fenced. */
  open(shard: number): ShardLog {
    const data = this.#data(shard);
    const handle = new EmbeddedShardLog(shard, data.partitions, {
      fence: async () => {
        const token = ++data.fence;
        // A commit of the predecessor that has begun is settled first.
        if (this.#journal !== null) await this.#lastChange.catch(() => undefined);
        return { token, committed: data.committed };
      },
      commit: (token, output, committed) => this.#commit(shard, token, output, committed),
      holdsOpen: () => this.#options.input === "until-end" && !this.#isEnded,
      took: (token, records) => {
        if (token === data.fence) this.#setUnread(data, data.unread - weightOf(records));
      },
      sought: (token, offsets) => {
        if (token === data.fence) this.#setUnread(data, unreadFrom(data, offsets));
      },
      closed: () => data.handles.delete(handle),
    });
    data.handles.add(handle);
    return handle;
  }

  /** All shards, assigned at once and for good. */
  source(): ShardSource {
    return {
      start: (handler) => {
        for (const shard of this.#shards.keys()) handler.assigned(shard, this.open(shard));
        return Promise.resolve();
      },
      stop: () => Promise.resolve(),
    };
  }

  /** What would have to be written to begin a new journal: per shard the first offsets, then entries. */
  contents(): { readonly starts: readonly Offsets[]; readonly entries: LogEntry[] } {
    const starts = this.#shards.map(({ partitions }) =>
      Object.fromEntries(FACT_TOPICS.map((topic) => [topic, partitions[topic].start])),
    );
    const entries: LogEntry[] = [];
    for (const [shard, { partitions, committed }] of this.#shards.entries()) {
      for (const topic of FACT_TOPICS) {
        const records = [...partitions[topic]];
        if (records.length > 0) entries.push({ kind: "records", records });
      }
      if (committed !== null) {
        const output = { changes: [], segments: [], referrals: [], deadLetters: [] };
        entries.push({ kind: "commit", shard, committed, output, referrals: [] });
      }
    }
    return { starts, entries };
  }

  async close(): Promise<void> {
    await this.#lastChange.catch(() => undefined);
    await this.#journal?.close();
  }

  async #commit(shard: number, token: number, output: BatchOutput, committed: Committed): Promise<void> {
    const data = this.#data(shard);
    await this.#change(() => {
      if (token !== data.fence) {
        throw new RetriableError("FENCED", `shard ${shard} has been taken over by another owner`);
      }
      const arrivedAt = this.#options.clock.now();
      const referrals = this.#place(output.referrals.map(recordOf), () => arrivedAt);
      return { kind: "commit", shard, committed, output, referrals };
    });
    await this.#options.onCommitted?.(shard, output, committed);
  }

  /** Makes an entry, keeps it, applies it; one after the other where keeping takes time. */
  async #change(make: () => LogEntry): Promise<void> {
    const journal = this.#journal;
    if (journal === null) {
      this.#apply(make());
      return;
    }
    const change = this.#lastChange
      .catch(() => undefined)
      .then(async () => {
        const entry = make();
        await journal.write(entry);
        this.#apply(entry);
      });
    this.#lastChange = change;
    await change;
  }

  #place(
    records: readonly NewRecord[],
    arrivedAt: (record: NewRecord) => SourceRecord["arrivedAt"],
  ): SourceRecord[] {
    const ends = new Map<Partition, number>();
    return records.map((record) => {
      const shard = this.#shardOf(record);
      const partition = this.#data(shard).partitions[record.topic];
      const offset = ends.get(partition) ?? partition.end;
      ends.set(partition, offset + 1);
      const placed: PlacedRecord = {
        topic: record.topic,
        partition: shard,
        offset,
        arrivedAt: arrivedAt(record),
        key: record.key ?? null,
        value: record.value,
        headers: record.headers ?? NO_HEADERS,
      };
      // By assignment: a conditional spread costs more than all the rest of this.
      if (record.file !== undefined) placed.file = record.file;
      if (record.decoded !== undefined) placed.decoded = record.decoded;
      return placed;
    });
  }

  #shardOf({ key, decoded }: NewRecord): number {
    const count = this.#shards.length;
    if (count === 1) return 0;
    if (key !== undefined && key !== null) return partitionOf(key, count);
    return decoded?.kind === "event" ? partitionOf(Buffer.from(decoded.event.customerId), count) : 0;
  }

  #apply(entry: LogEntry): void {
    const records = entry.kind === "records" ? entry.records : entry.referrals;
    const grown = new Set<ShardData>();
    for (const record of records) {
      const data = this.#data(record.partition);
      data.partitions[record.topic].push(record);
      const weight = weightOfOne(record);
      data.unread += weight;
      this.#unread += weight;
      grown.add(data);
    }
    if (entry.kind === "commit") {
      const data = this.#data(entry.shard);
      // A state store may stand one commit behind, never more (A4): it is written after this commit and before the next.
      if (this.#options.keep === "uncommitted") this.#trim(data, data.committed?.offsets ?? {});
      data.committed = entry.committed;
    }
    for (const data of grown) for (const handle of data.handles) handle.wake();
  }

  #trim(data: ShardData, offsets: Offsets): void {
    for (const topic of FACT_TOPICS) data.partitions[topic].trim(offsets[topic] ?? 0);
  }

  #setUnread(data: ShardData, weight: number): void {
    this.#unread += weight - data.unread;
    data.unread = weight;
    if (this.#unread > (this.#options.bufferBytes ?? DEFAULT_BUFFER_BYTES)) return;
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
  }

  #data(shard: number): ShardData {
    const data = this.#shards[shard];
    if (data === undefined) throw new Error(`there is no shard ${shard} of ${this.#shards.length}`);
    return data;
  }
}

/** What a record counts against `bufferBytes`. */
function weightOfOne(record: SourceRecord): number {
  return RECORD_WEIGHT + (record.value?.length ?? 0);
}

export function weightOf(records: Iterable<SourceRecord>): number {
  let weight = 0;
  for (const record of records) weight += weightOfOne(record);
  return weight;
}

function unreadFrom(data: ShardData, offsets: Readonly<Record<FactTopic, number>>): number {
  let weight = 0;
  for (const topic of FACT_TOPICS) {
    const unread: SourceRecord[] = [];
    data.partitions[topic].readInto(unread, offsets[topic], Infinity);
    weight += weightOf(unread);
  }
  return weight;
}

function recordOf(referral: Referral): NewRecord {
  return {
    topic: "referrals",
    key: Buffer.from(referral.customerId),
    value: null,
    decoded: { kind: "event", event: referral },
  };
}
