import type { Random } from "../../src/app/simulation/random.ts";
import type { Clock } from "../../src/pipeline/ports.ts";
import { instant, type Instant } from "../../src/shared/instant.ts";

/** Something that may happen next: a call that reaches its server, an answer that reaches its caller, a fetch. */
interface Task {
  readonly label: string;
  readonly run: () => void;
}

interface Sleeper {
  readonly process: Process;
  readonly until: number;
  readonly wake: () => void;
}

/**
 * One process as the others see it. Dead, it gets no answer any more, though what it sent may still arrive; frozen, it gets
 * all of them when it wakes.
 */
export class Process {
  readonly name: string;
  /** What it is at, for the names of crash points. */
  stage: "acquire" | "re-fold" | "run" = "acquire";
  isDead = false;
  isFrozen = false;
  #backlog: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  kill(): void {
    this.isDead = true;
    this.#backlog = [];
  }

  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
    for (const deliver of this.#backlog.splice(0)) this.deliver(deliver);
  }

  /** Everything that comes into the process from outside comes through here. */
  deliver(what: () => void): void {
    if (this.isDead) return;
    if (this.isFrozen) this.#backlog.push(what);
    else what();
  }
}

/**
 * Decides, from a seed, what happens next. Between two steps every promise that can go on has gone on, so that a run is the
 * sequence of its steps and nothing else: the same seed gives the same run, whatever the machine does.
 */
export class Scheduler {
  readonly random: Random;
  /** What happened, line by line; null: nobody wants to know. */
  readonly trace: string[] | null;
  steps = 0;
  #pending: Task[] = [];
  #late: Task[] = [];
  #sleepers: Sleeper[] = [];
  #now: Instant;
  #fingerprint = 0x811c9dc5;

  constructor(random: Random, startAt: Instant, trace: boolean) {
    this.random = random;
    this.#now = startAt;
    this.trace = trace ? [] : null;
  }

  /** A number that two runs share only if they took the same steps, for all practical purposes. */
  get fingerprint(): number {
    return this.#fingerprint >>> 0;
  }

  get now(): Instant {
    return this.#now;
  }

  get pending(): number {
    return this.#pending.length;
  }

  get late(): number {
    return this.#late.length;
  }

  note(what: string): void {
    this.trace?.push(`${this.steps} ${new Date(this.#now).toISOString().slice(0, -1)} ${what}`);
  }

  /** To happen at any time from now on. */
  enqueue(label: string, run: () => void): void {
    this.#pending.push({ label, run });
  }

  /** To happen much later, when others have moved on. */
  postpone(label: string, run: () => void): void {
    this.#late.push({ label, run });
  }

  /** The clock of one process: everybody's time, but nobody who is frozen or dead is woken. */
  clockOf(process: Process): Clock {
    return {
      now: () => this.#now,
      sleep: (ms, signal) => this.#sleep(process, ms, signal),
    };
  }

  /** Moves time forward and wakes, in order, those whose sleep is over. */
  advanceTo(at: Instant): void {
    if (at > this.#now) this.#now = at;
    const over = this.#sleepers.filter(({ until }) => until <= this.#now);
    if (over.length === 0) return;
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#now);
    for (const { process, wake } of over.sort((a, b) => a.until - b.until)) process.deliver(wake);
  }

  /** Lets one thing happen. False: nothing can, but that time passes. */
  async step(): Promise<boolean> {
    const { random } = this;
    let from = this.#pending;
    if (this.#late.length > 0 && (from.length === 0 || random.chance(0.04))) from = this.#late;
    if (from.length === 0) return false;
    if (from === this.#pending && this.#sleepers.length > 0 && random.chance(0.05)) {
      await this.passTime();
      return true;
    }
    const index = from.length === 1 ? 0 : random.below(from.length);
    const task = from[index];
    if (task === undefined) throw new Error("a task was drawn that is not there");
    from.splice(index, 1);
    this.#happen(task.label, from.length * 64 + index);
    task.run();
    await settled();
    return true;
  }

  /** Lets time pass up to the next sleeper. False: nobody sleeps. */
  async passTime(): Promise<boolean> {
    let next = Infinity;
    for (const { process, until } of this.#sleepers) {
      if (!process.isDead && !process.isFrozen && until < next) next = until;
    }
    if (next === Infinity) return false;
    this.#happen("time passes", next % 8191);
    this.advanceTo(instant(next));
    await settled();
    return true;
  }

  /** All that is late may come now like everything else. */
  hurry(): void {
    this.#pending.push(...this.#late.splice(0));
  }

  #happen(label: string, choice: number): void {
    this.steps++;
    this.#fingerprint = Math.imul(this.#fingerprint ^ choice, 0x01000193);
    if (this.trace !== null) this.note(label);
  }

  #sleep(process: Process, ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper = { process, until: this.#now + ms, wake };
      const abort = (): void => {
        const index = this.#sleepers.indexOf(sleeper);
        if (index >= 0) this.#sleepers.splice(index, 1);
        resolve();
      };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** Resolves when no promise can go on by itself: Node runs ticks only when the queue of microtasks is empty. */
export function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
