import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import { createVirtualClock, type VirtualClock } from "../../src/adapters/embedded/clock.ts";
import { EmbeddedLog, type NewRecord } from "../../src/adapters/embedded/embedded-log.ts";
import { recordOf } from "../../src/app/compose-embedded.ts";
import { policyFromText, policyText } from "../../src/app/policy-file.ts";
import type { SegmentChange } from "../../src/domain/change.ts";
import type { Classification } from "../../src/domain/classification.ts";
import type { CustomerState } from "../../src/domain/customer-state.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { CacheBudget } from "../../src/pipeline/customer-cache.ts";
import { DEFAULT_SHARD_OPTIONS, type ShardOptions } from "../../src/pipeline/options.ts";
import type {
  BatchOutput,
  Committed,
  Decoder,
  Marks,
  ShardLog,
  StateStore,
} from "../../src/pipeline/ports.ts";
import { Shard } from "../../src/pipeline/shard.ts";
import { SILENT_TELEMETRY, type Telemetry } from "../../src/pipeline/telemetry.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";
import { ForgetfulStore, Held, Life, logThrough, NO_FAULTS, type Adversary } from "./faults.ts";

export const START = Date.UTC(2024, 0, 1);
export const POLICY = testPolicy();
export const codec = createStateCodec();
const silent = (): void => undefined;
const LOGGER = { debug: silent, info: silent, warn: silent, error: silent };
const DECODED: Decoder = { decode: ({ decoded }) => decoded! };
/** Rounds of the event loop after which nothing more happens without time or input, generously. */
const BREATHS = 60;

export interface Transaction extends Committed {
  readonly shard: number;
  readonly output: BatchOutput;
}

export interface WorldSetup {
  readonly shards?: number;
  readonly options?: Partial<ShardOptions>;
  readonly keep?: "all" | "uncommitted";
  /** When the wall clock starts; default START. */
  readonly startAt?: number;
}

export interface OwnerSetup {
  readonly shard?: number;
  readonly adversary?: Adversary;
  readonly options?: Partial<ShardOptions>;
  readonly policy?: Policy;
  /** Given by hand (POLICY_UNKNOWN). */
  readonly former?: readonly Policy[];
  readonly decoder?: Decoder;
  readonly telemetry?: Partial<Telemetry>;
  /** Puts something between the owner and its ports. */
  log?(log: ShardLog): ShardLog;
  store?(store: StateStore): StateStore;
}

/** One process's hold on a shard. */
export interface Owner {
  readonly shard: Shard;
  readonly life: Life;
  /** How it ended: null when it was stopped, what it threw otherwise; pending while it runs, for good when it was killed. */
  readonly ended: Promise<Error | null>;
}

/** A log, a store that can forget, time moved by hand, and owners of shards that come and go. */
export class World {
  readonly clock: VirtualClock;
  readonly transactions: Transaction[] = [];
  readonly store = new ForgetfulStore();
  readonly held = new Held();
  readonly log: EmbeddedLog;
  readonly owners = new Set<Owner>();
  readonly #options: Partial<ShardOptions>;

  constructor({ shards = 1, options = {}, keep = "all", startAt = START }: WorldSetup = {}) {
    this.#options = options;
    this.clock = createVirtualClock(instant(startAt));
    this.log = new EmbeddedLog({
      shards,
      clock: this.clock,
      input: "endless",
      keep,
      onCommitted: (shard, output, committed) => {
        this.transactions.push({ shard, output, ...committed });
      },
    });
  }

  /** A new owner; a former one that still runs is a zombie from then on. */
  own(setup: OwnerSetup = {}): Owner {
    const { shard: number = 0, adversary = NO_FAULTS, policy = POLICY, decoder = DECODED } = setup;
    const { former = [] } = setup;
    const life = new Life(adversary, this.held);
    const store = this.store.through(life);
    const log = logThrough(life, () => this.log.open(number));
    const options: ShardOptions = {
      ...DEFAULT_SHARD_OPTIONS,
      commitIntervalMs: 0,
      sweepIntervalMs: 0,
      backoffMs: [1, 2],
      ...this.#options,
      ...setup.options,
    };
    const budget = new CacheBudget(options.cacheBytes);
    const shard = new Shard(
      {
        store: setup.store?.(store) ?? store,
        codec,
        decoder,
        clock: this.clock,
        telemetry: { ...SILENT_TELEMETRY, ...setup.telemetry },
        logger: LOGGER,
        policy,
        policies: { text: policyText, parse: policyFromText, former },
        options,
        budget,
      },
      number,
      setup.log?.(log) ?? log,
    );
    const ended = shard
      .run()
      .then(
        () => null,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      )
      // However often it has begun anew, and whatever for: what its sessions took is given back.
      .then((error) =>
        budget.used === 0 ? error : new Error(`${budget.used} bytes are still taken`, { cause: error }),
      );
    const owner = { shard, life, ended };
    this.owners.add(owner);
    return owner;
  }

  /** Appends events that arrive when they happen. */
  async append(...events: readonly CustomerEvent[]): Promise<void> {
    await this.appendRecords(events.map((event) => ({ ...recordOf(event), arrivedAt: arrivalOf(event) })));
  }

  async appendRecords(records: readonly NewRecord[]): Promise<void> {
    await this.log.append(records);
  }

  /** Lets everything that can happen without time or input happen. */
  async breathe(rounds = BREATHS): Promise<void> {
    for (let i = 0; i < rounds; i++) await new Promise(setImmediate);
  }

  /** Waits until something is so, letting `tickMs` pass with each look. */
  async until(isSo: () => boolean, tickMs = 0): Promise<void> {
    for (let i = 0; i < 20_000; i++) {
      if (isSo()) return;
      if (tickMs > 0) this.clock.advanceBy(tickMs);
      await new Promise(setImmediate);
    }
    throw new Error("what was waited for did not come");
  }

  /** Resolves when the owner has applied and committed all there is. Time goes on meanwhile. */
  async settle(owner: Owner): Promise<void> {
    let isDone = false;
    void owner.shard.settled().then(() => (isDone = true));
    await this.until(() => isDone, 1);
  }

  /** Stops all owners that live; throws what one of them has thrown. */
  async stop(): Promise<void> {
    this.held.releaseAll();
    const living = [...this.owners].filter(({ life }) => !life.isDead);
    this.owners.clear();
    for (const { shard } of living) shard.stop();
    const ends = await Promise.all(living.map(({ ended }) => ended));
    for (const error of ends) if (error !== null) throw error;
  }

  /** All changes and tombstones in the order of their publication. */
  get changes(): readonly { readonly customerId: string; readonly change: SegmentChange | null }[] {
    return this.transactions.flatMap(({ output }) => output.changes);
  }

  async marks(shard = 0): Promise<Marks | null> {
    // Acquiring tells the marks; the epoch it takes is nobody's.
    return (await this.store.inner.acquire(shard)).marks;
  }

  async state(customerId: string, shard = 0): Promise<CustomerState | null> {
    const [stored] = await this.store.inner.read(shard, [customerId]);
    return stored === null || stored === undefined ? null : codec.decode(customerId, stored);
  }
}

function arrivalOf(event: CustomerEvent): Instant {
  return event.topic === "referrals" ? instant(0) : event.occurredAt;
}

/** A chain without gaps, seq ascending, no change twice (S8); returns what is in force by customer. */
export function followChains(
  changes: readonly { readonly customerId: string; readonly change: SegmentChange | null }[],
): Map<string, Classification> {
  const inForce = new Map<string, Classification>();
  const lastSeq = new Map<string, number>();
  for (const { customerId, change } of changes) {
    if (change === null) {
      inForce.delete(customerId);
      continue;
    }
    const before = inForce.get(customerId) ?? null;
    if (JSON.stringify(change.previous) !== JSON.stringify(before)) {
      const shown = (what: unknown): string => JSON.stringify(what);
      throw new Error(
        `the chain of ${customerId} is broken at ${change.changeId}: ${shown(before)} was published, the next change follows ${shown(change.previous)}`,
      );
    }
    const seq = lastSeq.get(customerId) ?? -1;
    if (change.seq <= seq) throw new Error(`seq of ${customerId} went from ${seq} to ${change.seq}`);
    lastSeq.set(customerId, change.seq);
    inForce.set(customerId, change.current);
  }
  return inForce;
}
