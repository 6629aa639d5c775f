import { Random, type Range } from "../../src/app/simulation/random.ts";
import { CRASH_POINTS, type CrashPoint } from "./crash-points.ts";

/** What the adversary can do. Places are of processes; times in milliseconds. */
export type Deed =
  | { readonly kind: "kill"; readonly place: number }
  | { readonly kind: "die at"; readonly place: number; readonly point: CrashPoint; readonly skip: number }
  | { readonly kind: "freeze"; readonly place: number; readonly forMs: number }
  | { readonly kind: "leave"; readonly place: number; readonly forMs: number }
  | { readonly kind: "cut"; readonly place: number; readonly way: "kafka" | "redis" | "registry" }
  | {
      readonly kind: "hold up";
      readonly place: number;
      readonly way: "kafka" | "redis";
      readonly forMs: number;
    }
  | {
      readonly kind: "delay";
      readonly place: number;
      readonly way: "kafka" | "redis";
      readonly byMs: number;
      readonly forMs: number;
    }
  | { readonly kind: "lose answers"; readonly place: number; readonly forMs: number }
  | { readonly kind: "burst"; readonly partition: number; readonly records: number }
  | ServerDeed;

export type ServerDeed =
  | { readonly kind: "kill broker" | "stop broker" | "kill registry" | "kill Redis"; readonly forMs: number }
  | { readonly kind: "truncate Redis"; readonly bytes: number; readonly forMs: number }
  | { readonly kind: "turn Redis back" | "promote a replica"; readonly byMs: number }
  | { readonly kind: "wipe Redis" }
  /** Never planned: it answers a refusal. */
  | { readonly kind: "rebuild what is astray" };

export interface PlannedDeed {
  /** Milliseconds since the run began. */
  readonly at: number;
  readonly deed: Deed;
}

export interface PlanOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly places: readonly number[];
  /** Those whose processes can die at a named point. */
  readonly mortalPlaces: readonly number[];
  readonly partitions: number;
  /** Strikes at the commit and at what Redis holds, and keeps from what only holds everything up. */
  readonly isFocused: boolean;
}

/** The first seconds, in which there is nothing to lose yet, and the last, in which all ends, are left alone. */
const QUIET_MS = 4_000;
const PROCESS_GAP_MS: Range = [700, 2_800];
const FOCUSED_GAP_MS: Range = [400, 1_600];
const SERVER_GAP_MS: Range = [5_000, 16_000];
/** The group misses a process after ten seconds (DEFAULT_SOURCE.sessionTimeoutMs): one that sleeps longer wakes as a zombie. */
const ZOMBIE_MS: Range = [11_000, 17_000];
/** A rebuild takes its time: not in short runs, and not near the end. */
const WIPE_EVERY_MS = 240_000;

/** What the adversary will do in a run: a function of the options alone. What comes of it is up to the machine. */
export function planOf(options: PlanOptions): PlannedDeed[] {
  const { seed, durationMs, isFocused } = options;
  const random = new Random(seed, 21);
  const endsAt = durationMs - QUIET_MS;
  const plan: PlannedDeed[] = [];
  const gapMs = isFocused ? FOCUSED_GAP_MS : PROCESS_GAP_MS;
  const deeds = deck(random, isFocused ? commitDeeds(options, random) : processDeeds(options, random));
  for (let at = QUIET_MS; at < endsAt; at += random.between(gapMs)) plan.push({ at, deed: deeds() });
  const serverDeeds = deck(
    random,
    (isFocused ? REDIS_LOSSES : SERVER_DEEDS).map((make) => () => make(random)),
  );
  for (let at = QUIET_MS + random.between([0, 3_000]); at < endsAt; at += random.between(SERVER_GAP_MS)) {
    plan.push({ at, deed: serverDeeds() });
  }
  for (let at = WIPE_EVERY_MS / 2; !isFocused && at < endsAt - WIPE_EVERY_MS / 4; at += WIPE_EVERY_MS) {
    plan.push({ at, deed: { kind: "wipe Redis" } });
  }
  return plan.sort((a, b) => a.at - b.at);
}

/** Every card once, in random order, then again in another: the rare ones are not left to luck. */
function deck<T>(random: Random, cards: readonly (() => T)[]): () => T {
  let left: (() => T)[] = [];
  return () => {
    if (left.length === 0) left = random.shuffled(cards);
    const card = left.pop();
    if (card === undefined) throw new Error("a deck has cards");
    return card();
  };
}

function processDeeds({ places, mortalPlaces, partitions }: PlanOptions, random: Random): (() => Deed)[] {
  const place = (): number => random.pick(places);
  const kill = (): Deed => ({ kind: "kill", place: place() });
  const dieAt = (point: CrashPoint) => (): Deed => ({
    kind: "die at",
    place: mortalPlaces.length === 0 ? 0 : random.pick(mortalPlaces),
    point,
    skip: random.integer([0, 3]),
  });
  return [
    ...[kill, kill, kill, kill, kill, kill],
    ...CRASH_POINTS.map(dieAt),
    () => ({ kind: "freeze", place: place(), forMs: random.integer([300, 3_000]) }),
    () => ({ kind: "freeze", place: place(), forMs: random.integer([1_000, 6_000]) }),
    () => ({ kind: "freeze", place: place(), forMs: random.integer([...ZOMBIE_MS]) }),
    () => ({ kind: "freeze", place: place(), forMs: random.integer([...ZOMBIE_MS]) }),
    () => ({ kind: "leave", place: place(), forMs: random.integer([500, 6_000]) }),
    () => ({ kind: "cut", place: place(), way: "kafka" }),
    () => ({ kind: "cut", place: place(), way: "redis" }),
    () => ({ kind: "hold up", place: place(), way: "kafka", forMs: random.integer([500, 12_000]) }),
    () => ({ kind: "hold up", place: place(), way: "redis", forMs: random.integer([500, 12_000]) }),
    () => ({ kind: "delay", place: place(), way: "redis", byMs: random.integer([10, 150]), forMs: 3_000 }),
    () => ({ kind: "delay", place: place(), way: "kafka", byMs: random.integer([10, 80]), forMs: 3_000 }),
    () => ({ kind: "lose answers", place: place(), forMs: random.integer([200, 1_500]) }),
    () => ({ kind: "burst", partition: random.below(partitions), records: random.integer([2_500, 5_000]) }),
  ];
}

/** Those of the deeds that A4's order of steps is there for. */
function commitDeeds({ places, mortalPlaces }: PlanOptions, random: Random): (() => Deed)[] {
  const place = (): number => random.pick(places);
  return [
    ...[...CRASH_POINTS, ...CRASH_POINTS].map((point) => (): Deed => ({
      kind: "die at",
      place: random.pick(mortalPlaces),
      point,
      skip: random.integer([0, 2]),
    })),
    () => ({ kind: "freeze", place: place(), forMs: random.integer([...ZOMBIE_MS]) }),
    () => ({ kind: "freeze", place: place(), forMs: random.integer([...ZOMBIE_MS]) }),
    () => ({ kind: "hold up", place: place(), way: "redis", forMs: random.integer([8_000, 14_000]) }),
    () => ({ kind: "hold up", place: place(), way: "kafka", forMs: random.integer([8_000, 14_000]) }),
    () => ({ kind: "lose answers", place: place(), forMs: random.integer([200, 1_500]) }),
  ];
}

const REDIS_LOSSES: readonly ((random: Random) => ServerDeed)[] = [
  (random) => ({
    kind: "truncate Redis",
    bytes: random.integer([100, 60_000]),
    forMs: random.integer([0, 1_000]),
  }),
  (random) => ({ kind: "turn Redis back", byMs: random.integer([300, 5_000]) }),
  (random) => ({ kind: "promote a replica", byMs: random.integer([300, 5_000]) }),
];

const SERVER_DEEDS: readonly ((random: Random) => ServerDeed)[] = [
  ...REDIS_LOSSES,
  (random) => ({ kind: "kill broker", forMs: random.integer([0, 2_000]) }),
  (random) => ({ kind: "stop broker", forMs: random.integer([0, 2_000]) }),
  (random) => ({ kind: "kill Redis", forMs: random.integer([0, 2_000]) }),
  (random) => ({ kind: "kill registry", forMs: random.integer([500, 5_000]) }),
];

/** A deed as a person reads it. */
export function describeDeed(deed: Deed): string {
  const { kind, ...rest } = deed;
  const fields = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  return [kind, ...fields].join(", ");
}
