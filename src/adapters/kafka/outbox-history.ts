import type { Message } from "kafkajs";
import type { Committed } from "../../pipeline/ports.ts";

/** A message on its way to a topic of its own. */
export interface Outgoing {
  /** Whole name. */
  readonly topic: string;
  readonly message: Message;
}

/**
 * What stands in a shard's outbox. `owner`: a token that one fence drew. `from`: offset of the batch's first output; the
 * outputs stand between it and the decision, without anything of others in between.
 */
export type OutboxEntry =
  | { readonly kind: "claim"; readonly owner: string }
  | { readonly kind: "output"; readonly owner: string; readonly outgoing: Outgoing }
  | {
      readonly kind: "decision";
      readonly owner: string;
      readonly from: number;
      readonly committed: Committed;
    };

/** Where the outbox stood when everything decided before `next` had been published. */
export interface Checkpoint {
  readonly next: number;
  /** Who owned the shard at `next`. */
  readonly owner: string;
  readonly committed: Committed;
}

/**
 * Tells from the outbox alone what was decided: entries in the order of offsets in, the last valid decision out. A decision counts
 * only when its owner was the last to claim, and when its outputs follow at once on what the same owner wrote before:
 * then nobody can have claimed in between. What a former owner writes later is void, whenever it comes.
 */
export class OutboxHistory {
  #owner: string | null;
  #next: number;
  #outputs: Outgoing[] = [];
  #decided: { readonly committed: Committed; readonly outputs: readonly Outgoing[] } | null = null;

  constructor(checkpoint: Checkpoint | null) {
    this.#owner = checkpoint?.owner ?? null;
    this.#next = checkpoint?.next ?? 0;
  }

  /** The last valid decision since the checkpoint, with its outputs. */
  get decided(): { readonly committed: Committed; readonly outputs: readonly Outgoing[] } | null {
    return this.#decided;
  }

  /** null: a record that no outbox wrote. */
  add(offset: number, entry: OutboxEntry | null): void {
    if (entry === null) return;
    switch (entry.kind) {
      case "claim":
        this.#owner = entry.owner;
        this.#continueAt(offset + 1);
        return;
      case "output":
        if (entry.owner === this.#owner && offset === this.#next + this.#outputs.length) {
          this.#outputs.push(entry.outgoing);
        }
        return;
      case "decision":
        if (entry.owner !== this.#owner || entry.from !== this.#next) return;
        if (offset !== this.#next + this.#outputs.length) return;
        this.#decided = { committed: entry.committed, outputs: this.#outputs };
        this.#continueAt(offset + 1);
    }
  }

  #continueAt(next: number): void {
    this.#next = next;
    this.#outputs = [];
  }
}
