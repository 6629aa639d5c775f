import { RetriableError } from "../../src/pipeline/errors.ts";
import type {
  BatchOutput,
  Committed,
  Decoder,
  Held,
  ShardLog,
  SourceRecord,
  StateCommitResult,
  StateStore,
} from "../../src/pipeline/ports.ts";
import { assureHeld } from "../../src/pipeline/store-moved.ts";
import { Fetched } from "./fetched.ts";
import { shownMarks, shownOutput, shownReceipt } from "./describe.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import type { Broker, ForgetfulStore } from "./servers.ts";
import type { Tally } from "./tally.ts";

/** The calls of one owner by what they are to A4. */
export type Call =
  | "acquire"
  | "init"
  | "receipt"
  | "seek"
  | "ends"
  | "transaction"
  | "script"
  | "clear"
  | "read"
  | "position"
  | "decode";

/** What may go wrong with one call, or with the process that makes it. */
const FAULTS = [
  "fails",
  "answer lost",
  "stalls",
  "arrives late",
  "dies before it",
  "dies, it arrives late",
  "dies after it",
] as const;
type Fault = (typeof FAULTS)[number];

const SENT_LATE: readonly Fault[] = ["stalls", "arrives late", "dies, it arrives late"];
const LATE: ReadonlySet<Fault> = new Set(SENT_LATE);

/** How wild a schedule is. */
export interface Weather {
  /** Share of the calls that write with which something goes wrong. */
  readonly writeFaults: number;
  readonly readFaults: number;
  /** Share of the scripts without a transaction that arrive late. */
  readonly lateUnannounced: number;
  /** Records reach the process when the scheduler says so, not at once. */
  readonly slowFetch: boolean;
  /** A page of ids may be as short as the store likes: so short, it interrupts a change of policy between any two customers. */
  readonly pageCustomers: number;
  /** Each `fence` really fences; an omission may say otherwise. */
  readonly fences: boolean;
}

/** What one process reaches of the world. */
export interface Ports {
  readonly store: StateStore;
  readonly log: ShardLog;
  readonly decoder: Decoder;
  /** Reads what the shard has committed, without fencing anybody; the correct `fence` reads it after InitProducerId. */
  receipt(): Promise<Committed | null>;
}

export interface Surroundings {
  readonly shard: number;
  readonly process: Process;
  readonly scheduler: Scheduler;
  readonly broker: Broker;
  readonly store: ForgetfulStore;
  readonly weather: Weather;
  readonly tally: Tally;
  /** A script has been sent that will arrive much later, if at all. */
  readonly onLateScript: () => void;
  /** Faults happen while this is so. */
  readonly isStormy: () => boolean;
}

/** Calls that do not change a server: mostly asked and answered in one step. */
const READS: ReadonlySet<Call> = new Set(["receipt", "ends", "read", "position", "decode"]);

/** All ports of one process, each call under the scheduler's hand. */
export function portsOf(around: Surroundings): Ports {
  const call = callsOf(around);
  const receipt = (): Promise<Committed | null> =>
    call(
      "receipt",
      () => around.broker.committed(around.shard),
      (committed) => (committed === null ? "none" : shownReceipt(committed)),
    );
  return {
    store: storeThrough(call, around),
    log: logThrough(call, receipt, around),
    decoder: decoderThrough(call, around),
    receipt,
  };
}

/** `isUnannounced`: a write of which the log knows nothing, the one that a former owner can still do harm with. */
type Caller = <T>(
  call: Call,
  act: () => T | Promise<T>,
  about?: (answer: T) => string,
  isUnannounced?: boolean,
) => Promise<T>;

function callsOf({ process, scheduler, weather, tally, isStormy, onLateScript }: Surroundings): Caller {
  const { random } = scheduler;
  const faultOf = (call: Call, isUnannounced: boolean): Fault | null => {
    if (!isStormy()) return null;
    if (isUnannounced && random.chance(weather.lateUnannounced)) return random.pick(SENT_LATE);
    if (!random.chance(READS.has(call) ? weather.readFaults : weather.writeFaults)) return null;
    return random.pick(FAULTS);
  };
  const died = (call: Call, when: "before" | "after"): void => {
    process.kill();
    tally.crash(process.stage, call, when);
  };

  return <T>(
    call: Call,
    act: () => T | Promise<T>,
    about?: (answer: T) => string,
    isUnannounced = false,
  ): Promise<T> => {
    if (process.isDead) return forever();
    const name = `${process.name} ${call}`;
    return new Promise<T>((resolve, reject) => {
      const broken = (fault: string): void => {
        scheduler.enqueue(`${name}: ${fault}`, () =>
          process.deliver(() => reject(new RetriableError("INJECTED", `${call}: ${fault}`))),
        );
      };
      const arrive = (answer: (settle: () => void, say: string) => void): void => {
        const refuse = (error: unknown): void => {
          tally.refused(error);
          answer(
            () => reject(error instanceof Error ? error : new Error(String(error))),
            scheduler.trace === null ? "" : String(error),
          );
        };
        const accept = (value: T): void =>
          answer(() => resolve(value), scheduler.trace === null ? "" : (about?.(value) ?? ""));
        try {
          const result = act();
          if (result instanceof Promise) result.then(accept, refuse);
          else accept(result);
        } catch (error) {
          refuse(error);
        }
      };
      const unanswered = (_: () => void, say: string): void => scheduler.note(`  nobody hears: ${say}`);
      const answered = (settle: () => void, say: string): void => {
        if (READS.has(call) && !random.chance(0.25)) {
          if (say !== "") scheduler.note(`  ${say}`);
          process.deliver(settle);
          return;
        }
        scheduler.enqueue(`${name} ← ${say}`, () => process.deliver(settle));
      };

      const fault = faultOf(call, isUnannounced);
      if (call === "script" && fault !== null && LATE.has(fault)) onLateScript();
      switch (fault) {
        case null:
          scheduler.enqueue(`${name} →`, () => arrive(answered));
          return;
        case "fails":
          broken(fault);
          return;
        case "answer lost":
          scheduler.enqueue(`${name} → (its answer will be lost)`, () =>
            arrive((_, say) => broken(`${fault}: ${say}`)),
          );
          return;
        case "stalls":
          scheduler.postpone(`${name} → (after a stall)`, () => arrive(answered));
          return;
        case "arrives late":
          broken(fault);
          scheduler.postpone(`${name} → (late)`, () => {
            tally.lateArrivals++;
            arrive(unanswered);
          });
          return;
        case "dies before it":
          scheduler.note(`${process.name} dies before its ${call}`);
          died(call, "before");
          return;
        case "dies, it arrives late":
          scheduler.note(`${process.name} dies, its ${call} is on the way`);
          died(call, "before");
          scheduler.postpone(`${name} → (of a dead process)`, () => {
            tally.lateArrivals++;
            arrive(unanswered);
          });
          return;
        case "dies after it":
          scheduler.enqueue(`${name} → (it dies of it)`, () => {
            if (!process.isDead) died(call, "after");
            arrive(unanswered);
          });
      }
    });
  };
}

function storeThrough(
  call: Caller,
  { shard: own, store, tally, process, weather }: Surroundings,
): StateStore {
  const told = (result: StateCommitResult): string => {
    return `${result.kind} ${"epoch" in result ? result.epoch : ""}${"seq" in result ? String(result.seq) : ""}`;
  };
  const judged = (result: StateCommitResult): StateCommitResult => {
    tally.script(result.kind);
    return result;
  };
  const of = (shard: number): ReturnType<ForgetfulStore["of"]> => {
    if (shard !== own) throw new Error(`a process that has shard ${own} asked for shard ${shard}`);
    return store.of(shard);
  };
  const at = (shard: number, held: Held | undefined): ReturnType<ForgetfulStore["of"]> => {
    assureHeld(shard, held, of(shard).position());
    return of(shard);
  };
  return {
    peek: (shard) => call("read", () => of(shard).peek()),
    acquire: (shard) => {
      process.stage = "acquire";
      return call(
        "acquire",
        () => store.acquire(shard),
        ({ epoch, marks }) => `epoch ${epoch}, ${shownMarks(marks)}`,
      );
    },
    commit: (shard, commit) => {
      const { epoch, expectedSeq, marks } = commit;
      // One that writes nobody still passes over what was published.
      const isRefold = commit.writes.length > 0 || marks.published > 0;
      if (process.stage === "re-fold" && isRefold) tally.refoldScripts++;
      return call(
        "script",
        () => judged(store.commit(shard, commit)),
        (result) => `epoch ${epoch} from seq ${expectedSeq}: ${shownMarks(marks)}: ${told(result)}`,
        process.stage === "run" && marks.published !== marks.seq,
      );
    },
    clear: (shard, epoch) => call("clear", () => judged(store.clear(shard, epoch)), told),
    read: (shard, ids, held) => call("read", () => at(shard, held).read(ids)),
    position: (shard) =>
      call(
        "position",
        () => of(shard).position(),
        ({ epoch, seq }) => `epoch ${epoch} seq ${String(seq)}`,
      ),
    due: (shard, upTo, limit, held) => call("read", () => at(shard, held).due(upTo, limit)),
    nextDue: (shard) => call("read", () => of(shard).nextDue()),
    customers: (shard, after, limit, held) =>
      call("read", () => at(shard, held).customers(after, Math.min(limit, weather.pageCustomers))),
    close: () => Promise.resolve(),
  };
}

/**
 * A log as one process reaches it. Each fence is a producer of its own, as with Kafka: one that arrives late fences everybody,
 * this process too, and gives nothing to it; and what was sent before a fence stays sent by the producer of that time.
 */
function logThrough(call: Caller, receipt: Ports["receipt"], around: Surroundings): ShardLog {
  const { broker, shard, process, scheduler, weather, isStormy } = around;
  const fetched = new Fetched(around);
  let log = broker.open(shard);
  return {
    packing: log.packing,
    fence: async () => {
      const next = await call("init", async () => {
        const handle = broker.open(shard);
        await handle.fence();
        return handle;
      });
      void log.close();
      log = next;
      const committed = await receipt();
      process.stage = "re-fold";
      return committed;
    },
    // Where to read on is told to the process's own buffers.
    seek: async (offsets) => {
      if (isStormy() && scheduler.random.chance(weather.readFaults)) {
        throw new RetriableError("INJECTED", "seek: fails");
      }
      fetched.forget();
      await log.seek(offsets);
    },
    commit: (output, committed) => {
      const sender = log;
      return call(
        "transaction",
        async () => {
          if (weather.fences) {
            await sender.commit(output, committed);
            return;
          }
          const unfenced = broker.open(shard);
          await unfenced.fence();
          await unfenced.commit(output, committed);
          await unfenced.close();
        },
        () => `${shownReceipt(committed)}: ${shownOutput(output as BatchOutput)}`,
      );
    },
    knownEnd: (topic) => log.knownEnd(topic),
    ends: () => call("ends", () => log.ends()),
    buffered: (topic) => fetched.of(topic, log.buffered(topic)),
    take: (topic, count) => log.take(topic, count),
    position: (topic) => fetched.position(topic, log),
    caughtUp: (topic, since) => log.caughtUp(topic, since) && fetched.isAll(topic, log.buffered(topic)),
    changed: (signal) =>
      new Promise((resolve) => {
        const wake = (): void => process.deliver(resolve);
        fetched.onNext = wake;
        void log.changed(signal).then(wake);
      }),
    close: () => log.close(),
  };
}

function decoderThrough(call: Caller, { scheduler }: Surroundings): Decoder {
  return {
    // Most schemas are known; now and then the registry must be asked.
    decode(record) {
      const { decoded } = JSON.parse(Buffer.from(record.value ?? []).toString()) as {
        decoded: NonNullable<SourceRecord["decoded"]>;
      };
      return scheduler.random.chance(0.2) ? call("decode", () => decoded) : decoded;
    },
  };
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
