import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Break } from "./breaks.ts";
import type { Chronicle } from "./chronicle.ts";
import type { DieOrder } from "./crash-points.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const PROCESSOR = fileURLToPath(new URL("processor.ts", import.meta.url));

/** The exit code of what refuses to go on (I1). */
const REFUSED = 3;
/** A supervisor waits so long before it starts a process again; twice as long after each end that nobody ordered, up to the second. */
const RESTART_MS = [300, 5_000] as const;
const DRAIN_LIMIT_MS = 45_000;
/** A process that was held up may still write what it had under way this long after. */
const ZOMBIE_WITHIN_MS = 40_000;

export interface FleetOptions {
  readonly dir: string;
  readonly size: number;
  readonly env: Readonly<Record<string, string>>;
  /** Endpoints of a process, by its place. */
  readonly through: (place: number) => Readonly<Record<string, string>>;
  readonly breaks: Break | null;
}

/** One process at its place, until it ends. */
interface Member {
  readonly process: ChildProcess;
  readonly log: string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  isFrozen: boolean;
  /** Why it may end: null, and it has no reason to. */
  orderedTo: "die" | "leave" | null;
  metrics: string;
}

/** The places at which processes run: every third one, the first among them, is the program as it is shipped, the others can die at named points. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #chronicle: Chronicle;
  readonly #members = new Map<number, Member>();
  /** Places that the adversary wants to be empty. */
  readonly #empty = new Set<number>();
  readonly #logs: string[] = [];
  readonly #refolded: number[] = [];
  /** Ends in a row that nobody ordered, by place. */
  readonly #unordered = new Map<number, number>();
  #started = 0;
  #isStopping = false;
  /** True from a fault that loses everything until all is rebuilt: refusals are what has to happen then. */
  mayRefuse = false;
  /** A shard's state was astray, which can be when Redis has lost its last writes and a zombie wrote on (A4): as good as lost. */
  isAstray = false;
  #onStateLoss: "stop" | "rebuild" = "stop";
  /** What ended in a way that nothing explains. */
  readonly violations: string[] = [];

  constructor(options: FleetOptions, chronicle: Chronicle) {
    this.#options = options;
    this.#chronicle = chronicle;
  }

  get places(): readonly number[] {
    return Array.from({ length: this.#options.size }, (_, i) => i);
  }

  /** Places whose process can die at a named point. */
  get mortalPlaces(): readonly number[] {
    return this.places.filter((place) => this.#isMortal(place));
  }

  get logs(): readonly string[] {
    return this.#logs;
  }

  /** Records that were folded again in silence, as far as the processes could still tell. */
  get refolded(): number {
    const current = [...this.#members.values()].map(({ metrics }) => refoldedOf(metrics));
    return [...this.#refolded, ...current].reduce((sum, count) => sum + count, 0);
  }

  isRunning(place: number): boolean {
    const member = this.#members.get(place);
    return member !== undefined && !member.isFrozen;
  }

  startAll(): void {
    for (const place of this.places) this.fill(place);
  }

  /** Starts a process at a place that has none. */
  fill(place: number): void {
    this.#empty.delete(place);
    if (!this.#members.has(place) && !this.#isStopping) this.#start(place);
  }

  kill(place: number): boolean {
    const member = this.#members.get(place);
    if (member === undefined) return false;
    member.orderedTo = "die";
    this.#chronicle.count("kills");
    // A frozen process dies as well.
    return member.process.kill("SIGKILL");
  }

  /** Tells a process to die at a point; the supervisor starts it again. */
  dieAt(place: number, order: DieOrder): boolean {
    const member = this.#members.get(place);
    if (member?.process.connected !== true || !this.#isMortal(place)) return false;
    member.process.send(order, () => undefined);
    return true;
  }

  freeze(place: number): boolean {
    const member = this.#members.get(place);
    if (member === undefined || member.isFrozen) return false;
    member.isFrozen = true;
    this.#chronicle.count("freezes");
    return member.process.kill("SIGSTOP");
  }

  wake(place: number): void {
    const member = this.#members.get(place);
    if (member?.isFrozen !== true) return;
    member.isFrozen = false;
    member.process.kill("SIGCONT");
  }

  /** Asks a process to leave, and leaves its place empty until `fill`. */
  leave(place: number): boolean {
    const member = this.#members.get(place);
    if (member === undefined || member.isFrozen) return false;
    this.#empty.add(place);
    member.orderedTo = "leave";
    this.#chronicle.count("leaves");
    return member.process.kill("SIGTERM");
  }

  /** What all processes started from now on do when the state is lost; those that run are started again, one after the other. */
  async onStateLoss(what: "stop" | "rebuild"): Promise<void> {
    this.#onStateLoss = what;
    for (const place of this.places) {
      const member = this.#members.get(place);
      if (member === undefined) continue;
      member.orderedTo = "leave";
      member.process.kill("SIGTERM");
      const over = await Promise.race([member.ended, sleep(DRAIN_LIMIT_MS, "late" as const)]);
      if (over === "late") this.kill(place);
    }
  }

  /** Wakes and starts everybody; nobody is to die any more. */
  heal(): void {
    for (const place of this.places) {
      this.wake(place);
      this.fill(place);
      this.dieAt(place, { point: null, skip: 0 });
    }
  }

  /** All leave, and nobody comes back. Resolves with what did not go as it should. */
  async stop(): Promise<string[]> {
    this.#isStopping = true;
    const wrong: string[] = [];
    await Promise.all(
      [...this.#members].map(async ([place, member]) => {
        await this.#scrape(member);
        member.orderedTo = "leave";
        member.process.kill("SIGTERM");
        const how = await Promise.race([member.ended, sleep(DRAIN_LIMIT_MS, "not within its time" as const)]);
        if (how === 0) return;
        wrong.push(
          `the process at place ${place} was asked to leave, and ended: ${String(how)} (${member.log})`,
        );
        member.process.kill("SIGKILL");
      }),
    );
    return wrong;
  }

  /** For the end after a failure. */
  destroy(): void {
    this.#isStopping = true;
    for (const { process } of this.#members.values()) process.kill("SIGKILL");
  }

  /** Asks every process for its metrics, so that little is missing of one that dies. */
  async scrape(): Promise<void> {
    const awake = [...this.#members.values()].filter(({ isFrozen }) => !isFrozen);
    await Promise.all(awake.map((member) => this.#scrape(member)));
  }

  /** Troubles of those that run, by their own account; empty: all are ready. */
  async troubles(): Promise<string[]> {
    const asked = await Promise.all(
      [...this.#members].map(async ([place, { log }]) => {
        const address = addressIn(log);
        if (address === null) return [`place ${place} has not started yet`];
        try {
          const response = await fetch(`${address}/readyz`, { signal: AbortSignal.timeout(3000) });
          return response.ok ? [] : [`place ${place}: ${await response.text()}`];
        } catch (error) {
          return [`place ${place} does not answer: ${String(error)}`];
        }
      }),
    );
    return asked.flat();
  }

  #isMortal(place: number): boolean {
    return place % 3 !== 0 || this.#options.breaks !== null;
  }

  #start(place: number): void {
    const { dir, env, through, breaks } = this.#options;
    const log = join(dir, `process-${place}-${++this.#started}.log`);
    const file = openSync(log, "w");
    const { PATH = "", HOME = "" } = process.env;
    const isMortal = this.#isMortal(place);
    const args = isMortal ? [PROCESSOR, ...(breaks === null ? [] : [breaks])] : [MAIN, "run"];
    const child = spawn(process.execPath, args, {
      env: { PATH, HOME, ...env, ...through(place), CLIENTELA_ON_STATE_LOSS: this.#onStateLoss },
      stdio: isMortal ? ["ignore", file, file, "ipc"] : ["ignore", file, file],
    });
    closeSync(file);
    this.#logs.push(log);
    const member: Member = {
      process: child,
      log,
      ended: once(child, "exit").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null),
      isFrozen: false,
      orderedTo: null,
      metrics: "",
    };
    this.#members.set(place, member);
    this.#chronicle.count("starts");
    void member.ended.then((how) => this.#onEnd(place, member, how));
  }

  #onEnd(place: number, member: Member, how: number | NodeJS.Signals | null): void {
    if (this.#members.get(place) === member) this.#members.delete(place);
    this.#refolded.push(refoldedOf(member.metrics));
    const point = pointIn(member.log);
    if (point !== null) {
      this.#chronicle.count("kills");
      this.#chronicle.count(`died ${point}`);
    }
    this.#chronicle.tell(
      `place ${place} ended: ${String(how)}${point === null ? "" : `, ${point}`}${member.orderedTo === null && point === null ? ", unasked" : ""}`,
    );
    this.#judge(place, member, how, point);
    if (this.#isStopping || this.#empty.has(place)) return;
    const unordered = member.orderedTo === null && point === null ? (this.#unordered.get(place) ?? 0) + 1 : 0;
    this.#unordered.set(place, unordered);
    const [least, most] = RESTART_MS;
    setTimeout(
      () => {
        if (!this.#isStopping && !this.#empty.has(place) && !this.#members.has(place)) this.#start(place);
      },
      Math.min(most, least * 2 ** unordered),
    );
  }

  #judge(
    place: number,
    { log, orderedTo }: Member,
    how: number | NodeJS.Signals | null,
    point: string | null,
  ): void {
    const text = readFileSync(log, "utf8");
    const said = text.trimEnd().split("\n").slice(-3).join(" | ");
    if (how === "SIGKILL" && (orderedTo === "die" || point !== null)) return;
    // By the signal itself ends what was still starting.
    if ((how === 0 || how === "SIGTERM") && orderedTo === "leave") return;
    if (how === REFUSED) {
      this.#chronicle.count("refusals");
      this.#chronicle.tell(`place ${place} refused: ${said}`);
      if (said.includes("is astray") && this.#isAstrayPossible()) {
        this.#chronicle.count("states astray");
        this.isAstray = true;
      } else if (!this.mayRefuse)
        this.violations.push(`the process at place ${place} refused to go on: ${said} (${log})`);
      return;
    }
    // A server may be away when a process starts; a supervisor tries again. A bug tells where it happened.
    if (how === 1 && !/^\s+at /m.test(text)) {
      this.#chronicle.count("failed starts");
      return;
    }
    this.violations.push(`the process at place ${place} ended with ${String(how)}: ${said} (${log})`);
  }

  /** Only a zombie that writes on into a Redis which has forgotten its successor brings a state there (A4). */
  #isAstrayPossible(): boolean {
    const within = (...beginnings: string[]): boolean =>
      beginnings.some((beginning) => this.#chronicle.since(beginning) < ZOMBIE_WITHIN_MS);
    const hasLost = within("truncate Redis", "turn Redis back", "promote a replica");
    return this.isAstray || (hasLost && within("freeze", "hold up", "lose answers"));
  }

  async #scrape(member: Member): Promise<void> {
    const address = addressIn(member.log);
    if (address === null) return;
    try {
      const response = await fetch(`${address}/metrics`, { signal: AbortSignal.timeout(2000) });
      member.metrics = await response.text();
    } catch {
      // It may be dying, or busy; what it said before stands.
    }
  }
}

function refoldedOf(metrics: string): number {
  return Number(/^clientela_refolded_records_total (\d+)/m.exec(metrics)?.[1] ?? 0);
}

function addressIn(log: string): string | null {
  return /"http":"(http:[^"]+)"/.exec(readFileSync(log, "utf8"))?.[1] ?? null;
}

function pointIn(log: string): string | null {
  return /"msg":"dying","point":"([^"]+)"/.exec(readFileSync(log, "utf8"))?.[1] ?? null;
}
