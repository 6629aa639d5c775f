import { closeSync, openSync, writeSync } from "node:fs";

/** One thing that the adversary did, or that happened to it. */
export interface Deed {
  /** Milliseconds since the run began. */
  readonly at: number;
  readonly what: string;
}

/** What happened in a run, in order, on disk as it happens; and how often. */
export class Chronicle {
  #startedAt = Date.now();
  readonly deeds: Deed[] = [];
  readonly counts = new Map<string, number>();
  readonly #file: number;
  readonly #onDeed: (deed: Deed) => void;

  constructor(path: string, onDeed: (deed: Deed) => void) {
    this.#file = openSync(path, "a");
    this.#onDeed = onDeed;
  }

  /** Wall clock at which the run began: what the plan counts from. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** From now on the plan counts: everything that starts has started. */
  begin(): void {
    this.#startedAt = Date.now();
  }

  tell(what: string): void {
    const deed = { at: Date.now() - this.#startedAt, what };
    this.deeds.push(deed);
    writeSync(this.#file, `${(deed.at / 1000).toFixed(3).padStart(9)} ${what}\n`);
    this.#onDeed(deed);
  }

  count(kind: string, by = 1): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + by);
  }

  /** Deeds within `aroundMs` of an instant. */
  around(instantMs: number, aroundMs: number): Deed[] {
    return this.deeds.filter(({ at }) => Math.abs(this.#startedAt + at - instantMs) <= aroundMs);
  }

  /** How long ago something that begins so was told; Infinity: never. */
  since(beginning: string): number {
    const last = this.deeds.findLast(({ what }) => what.startsWith(beginning));
    return last === undefined ? Infinity : Date.now() - this.#startedAt - last.at;
  }

  close(): void {
    closeSync(this.#file);
  }
}
