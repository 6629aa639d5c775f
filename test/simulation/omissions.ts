import type { BatchOutput, Committed, ShardClock, ShardLog, StateStore } from "../../src/pipeline/ports.ts";
import type { Ports } from "./ports.ts";
import type { Sabotage } from "./schedule.ts";

/** A place in the source, and what stands there instead. The text must be there just once. */
export interface Replacement {
  /** Below src. */
  readonly file: string;
  readonly text: string;
  readonly by: string;
}

/** One part of the protocol left out on purpose: where ports can do it by ports, else in the source as it is loaded. */
export interface Omission {
  readonly name: string;
  /** What is left out, for the report. */
  readonly says: string;
  /** Thousands of schedules pass before one catches it: too many for every run of the tests, which have a case of its own for it. */
  readonly isRare?: true;
  readonly sabotage?: Sabotage;
  readonly replace?: readonly Replacement[];
}

/** A4's parts, each of which some schedule must miss. */
export const OMISSIONS: readonly Omission[] = [
  {
    name: "no-compare",
    says: "no compare in the script",
    sabotage: { judge: () => ({ kind: "applied" }) },
  },
  {
    name: "no-epoch-compare",
    says: "no compare on epoch in the script",
    sabotage: { judge: (state, commit) => state.judge({ ...commit, epoch: state.position().epoch }) },
  },
  {
    name: "no-seq-compare",
    says: "no compare on seq in the script",
    sabotage: { judge: (state, commit) => state.judgeClear(commit.epoch) },
  },
  { name: "no-fencing", says: "no fencing", sabotage: { fences: false } },
  {
    name: "receipt-before-init",
    says: "receipt read before InitProducerId",
    sabotage: {
      ports: (ports) =>
        withLog(ports, {
          fence: async () => {
            const committed = await ports.receipt();
            await ports.log.fence();
            return committed;
          },
        }),
    },
  },
  { name: "redis-first", says: "Redis before Kafka", sabotage: { ports: redisFirst } },
  {
    name: "receipt-without-clock",
    says: "receipt without clock",
    sabotage: { ports: (ports) => withClock(ports, { receipt: () => null, marks: (clock) => clock }) },
  },
  {
    name: "clock-without-customer",
    says: "clock without its customer part",
    sabotage: { ports: (ports) => withClock(ports, { receipt: wholeInstant, marks: wholeInstant }) },
  },
  {
    name: "silence-by-seq",
    says: "silence decided by seq",
    replace: [
      {
        file: "pipeline/acquire.ts",
        text: "if (marks.published === receipt.seq) return",
        by: "if (marks.seq >= receipt.seq) return",
      },
    ],
  },
  {
    name: "consumer-offsets",
    says: "offsets committed by the consumer, outside the transaction",
    sabotage: { ports: consumerOffsets },
  },
  {
    name: "dead-letter-outside",
    says: "dead letter outside the transaction",
    sabotage: { ports: deadLetterOutside },
  },
  {
    name: "no-invariant",
    says: "customers that a batch touched are not evaluated up to the shard's clock",
    replace: [
      {
        file: "pipeline/batch.ts",
        text: "this.#fold(customer, record, event, through)",
        by: "this.#fold(customer, record, event, null)",
      },
    ],
  },
  {
    name: "no-astray-check",
    isRare: true,
    says: "a state that is neither at the receipt nor behind it is taken for one behind",
    replace: [
      { file: "pipeline/acquire.ts", text: "if (isBehind) return", by: "if (receipt !== null) return" },
    ],
  },
  {
    name: "seq-from-marks",
    says: "seq from the marks alone",
    replace: [
      {
        file: "pipeline/acquire.ts",
        text: "nextSeq: Math.max(marks.seq, receipt.seq) + 1",
        by: "nextSeq: marks.seq + 1",
      },
    ],
  },
  {
    name: "seq-from-receipt",
    says: "seq from the receipt alone",
    replace: [
      {
        file: "pipeline/acquire.ts",
        text: "nextSeq: Math.max(marks.seq, receipt.seq) + 1",
        by: "nextSeq: receipt.seq + 1",
      },
    ],
  },
  {
    name: "unchecked-reads",
    says: "what is read is not held against epoch and seq",
    sabotage: { ports: (ports) => withStore(ports, uncheckedReads(ports.store)) },
    replace: [
      {
        file: "pipeline/session.ts",
        text: "if (epoch === this.epoch && [...seqs, this.#committedSeq].includes(seq)) return;",
        by: "if (seqs !== null) return;",
      },
    ],
  },
  {
    name: "position-after-read",
    isRare: true,
    says: "epoch and seq are asked after the read, not with it",
    sabotage: { ports: (ports) => withStore(ports, uncheckedReads(ports.store)) },
  },
  {
    name: "stale-deadlines",
    says: "a sweep takes the store's word for customers whose commit is in flight",
    replace: [
      {
        file: "pipeline/sweep.ts",
        text: "inFlight === null ? [batch.touched] : [inFlight.touched, batch.touched]",
        by: "[batch.touched]",
      },
    ],
  },
  {
    name: "marks-after-first-batch",
    says: "a fresh shard publishes before the store has its first marks",
    replace: [
      {
        file: "pipeline/acquire.ts",
        text: "        await session.seal(session.open(true), { silent: true, published: 0 });\n",
        by: "",
      },
    ],
  },
  {
    name: "refusal-in-a-race",
    says: "what was found wrong is refused although another owner came in between",
    replace: [
      {
        file: "pipeline/acquire.ts",
        text: "if ((await deps.store.position(shard)).epoch === acquired.epoch) throw error;",
        by: "throw error;",
      },
    ],
  },
  {
    name: "policy-text-late",
    says: "a policy's text is stored after the first transaction under it",
    replace: [
      {
        file: "pipeline/repolicy.ts",
        text: "  await session.seal(session.open(true), { silent: true, published: position.published });\n",
        by: "",
      },
    ],
  },
  {
    name: "overtaken-forgotten",
    says: "a change of policy forgets the one that it has overtaken",
    replace: [
      {
        file: "pipeline/policy-spans.ts",
        text: "{ ...node, over: migrating }",
        by: "{ ...node, over: null }",
      },
    ],
  },
  {
    name: "folded-amid-migration",
    says: "a silent re-fold takes up facts while customers stand under several policies",
    replace: [
      {
        file: "pipeline/refold.ts",
        text: "    await repolicyTo(deps, session, wholly(receipt.policy), how);\n",
        by: "",
      },
    ],
  },
];

function withLog(ports: Ports, change: Partial<ShardLog>): Ports {
  return { ...ports, log: { ...ports.log, ...change } };
}

function withStore(ports: Ports, change: Partial<StateStore>): Ports {
  return { ...ports, store: { ...ports.store, ...change } };
}

/** Every deadline of the clock's instant counts as applied. */
function wholeInstant(clock: ShardClock | null): ShardClock | null {
  return clock === null ? null : { at: clock.at, customerId: "\u{10ffff}" };
}

type ClockChange = (clock: ShardClock | null) => ShardClock | null;

function withClock(
  { log, store, ...rest }: Ports,
  change: { readonly receipt: ClockChange; readonly marks: ClockChange },
): Ports {
  return {
    ...rest,
    log: {
      ...log,
      commit: (output, { offsets, receipt }) =>
        log.commit(output, { offsets, receipt: { ...receipt, clock: change.receipt(receipt.clock) } }),
    },
    store: {
      ...store,
      commit: (shard, commit) =>
        store.commit(shard, {
          ...commit,
          marks: { ...commit.marks, clock: change.marks(commit.marks.clock) },
        }),
    },
  };
}

/** The transaction waits until its script has been applied. */
function redisFirst({ log, store, ...rest }: Ports): Ports {
  let waiting: (() => Promise<void>) | null = null;
  return {
    ...rest,
    log: {
      ...log,
      commit: (output, committed) => {
        // A shard's very first transaction has no script beside it.
        if (committed.receipt.seq === 0) return log.commit(output, committed);
        waiting = () => log.commit(output, committed);
        return Promise.resolve();
      },
    },
    store: {
      ...store,
      acquire: (shard) => {
        waiting = null;
        return store.acquire(shard);
      },
      commit: async (shard, commit) => {
        const transaction = waiting;
        waiting = null;
        const result = await store.commit(shard, commit);
        if (result.kind === "applied" || result.kind === "already") await transaction?.();
        return result;
      },
    },
  };
}

const NO_OUTPUT: BatchOutput<unknown, unknown> = {
  changes: [],
  segments: [],
  referrals: [],
  deadLetters: [],
};

/** Outputs in one transaction, offsets and receipt after it. */
function consumerOffsets(ports: Ports): Ports {
  return inTwo(ports, (output) => [output, NO_OUTPUT]);
}

/** Dead letters by themselves, the rest after them. */
function deadLetterOutside(ports: Ports): Ports {
  return inTwo(ports, (output) =>
    output.deadLetters.length === 0
      ? null
      : [
          { ...NO_OUTPUT, deadLetters: output.deadLetters },
          { ...output, deadLetters: [] },
        ],
  );
}

type Output = BatchOutput<unknown, unknown>;

/** A commit in two parts, of which only the second moves the offsets. null: in one. */
function inTwo({ log, ...rest }: Ports, split: (output: Output) => readonly [Output, Output] | null): Ports {
  let before: Committed | null = null;
  return {
    ...rest,
    log: {
      ...log,
      fence: async () => (before = await log.fence()),
      commit: async (output, committed) => {
        const parts = before === null ? null : split(output);
        if (before !== null && parts !== null) await log.commit(parts[0], before);
        await log.commit(parts === null ? output : parts[1], committed);
        before = committed;
      },
    },
  };
}

function uncheckedReads(store: StateStore): Partial<StateStore> {
  return {
    read: (shard, customerIds) => store.read(shard, customerIds),
    due: (shard, upTo, limit) => store.due(shard, upTo, limit),
    customers: (shard, after, limit) => store.customers(shard, after, limit),
  };
}
