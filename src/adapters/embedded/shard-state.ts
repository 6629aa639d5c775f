import type {
  CustomerWrite,
  Marks,
  StateCommit,
  StateCommitResult,
  StoredCustomer,
} from "../../pipeline/ports.ts";
import type { Instant } from "../../shared/instant.ts";
import { compareUtf8 } from "../../shared/utf8-order.ts";
import { DeadlineQueue, type Deadline } from "./deadline-queue.ts";

const NO_CHUNKS: ReadonlyMap<number, Uint8Array> = new Map();

/** All there is of one shard, to write it down and to take it up again. */
export interface ShardSnapshot {
  readonly epoch: number;
  readonly marks: Omit<Marks, "epoch"> | null;
  readonly policyText: string | null;
  readonly writes: readonly CustomerWrite[];
}

/** The state of one shard in memory; same semantics as the Redis scripts (A4). Bytes are kept as given, not copied. */
export class ShardState {
  readonly #heads = new Map<string, Uint8Array>();
  readonly #chunks = new Map<string, Map<number, Uint8Array>>();
  readonly #deadlines = new DeadlineQueue();
  /** Ids in order while somebody walks through them; void as soon as one comes or goes. */
  #sorted: readonly string[] | null = null;
  #epoch: number | null = null;
  #marks: Omit<Marks, "epoch"> | null = null;
  #policyText: string | null = null;

  /** `step`: by how much the epoch grows. A store that may lose its last writes must not come to the same epoch twice. */
  acquire(step = 1): {
    readonly epoch: number;
    readonly marks: Marks | null;
    readonly policyText: string | null;
  } {
    const epoch = (this.#epoch ?? 0) + step;
    this.#epoch = epoch;
    return {
      epoch,
      marks: this.#marks === null ? null : { ...this.#marks, epoch },
      policyText: this.#policyText,
    };
  }

  peek(): Marks | null {
    return this.#marks === null ? null : { ...this.#marks, epoch: this.#epoch ?? 0 };
  }

  position(): { readonly epoch: number; readonly seq: number | null } {
    return { epoch: this.#epoch ?? 0, seq: this.#marks?.seq ?? null };
  }

  /** What a commit would come to; changes nothing. */
  judge(commit: Pick<StateCommit, "epoch" | "expectedSeq" | "marks">): StateCommitResult {
    const fenced = this.judgeClear(commit.epoch);
    if (fenced.kind !== "applied") return fenced;
    const seq = this.#marks?.seq ?? null;
    if (seq === commit.marks.seq) return { kind: "already" };
    return (seq ?? 0) === commit.expectedSeq ? { kind: "applied" } : { kind: "behind", seq };
  }

  /** Whether the shard is held under this epoch. */
  judgeClear(epoch: number): StateCommitResult {
    if (this.#epoch === null) return { kind: "behind", seq: null };
    return this.#epoch === epoch ? { kind: "applied" } : { kind: "fenced", epoch: this.#epoch };
  }

  /** Applies what `judge` has let through. */
  apply(commit: Pick<StateCommit, "writes" | "marks" | "policyText">): void {
    this.write(commit.writes);
    this.#marks = commit.marks;
    if (commit.policyText !== null) this.#policyText = commit.policyText;
  }

  /** Deletes all but epoch and policy text. */
  clear(): void {
    this.#heads.clear();
    this.#chunks.clear();
    this.#deadlines.clear();
    this.#sorted = null;
    this.#marks = null;
  }

  read(customerIds: readonly string[]): (StoredCustomer | null)[] {
    return customerIds.map((customerId) => {
      const head = this.#heads.get(customerId);
      if (head === undefined) return null;
      const chunks = this.#chunks.get(customerId);
      return { head, chunks: chunks === undefined ? NO_CHUNKS : new Map(chunks) };
    });
  }

  due(upTo: Instant, limit: number): Deadline[] {
    return this.#deadlines.due(upTo, limit);
  }

  nextDue(): Instant | null {
    return this.#deadlines.next();
  }

  customers(after: string, limit: number): string[] {
    this.#sorted ??= [...this.#heads.keys()].sort(compareUtf8);
    const from = after === "" ? 0 : firstAbove(this.#sorted, after);
    return this.#sorted.slice(from, from + limit);
  }

  snapshot(): ShardSnapshot {
    const writes = Array.from(this.#heads, ([customerId, head]): CustomerWrite => {
      const chunks = [...(this.#chunks.get(customerId) ?? NO_CHUNKS)];
      return { customerId, head, chunks, deadlineAt: this.#deadlines.get(customerId) };
    });
    return { epoch: this.#epoch ?? 0, marks: this.#marks, policyText: this.#policyText, writes };
  }

  restore(snapshot: ShardSnapshot): void {
    this.clear();
    this.write(snapshot.writes);
    this.#epoch = snapshot.epoch === 0 ? null : snapshot.epoch;
    this.#marks = snapshot.marks;
    this.#policyText = snapshot.policyText;
  }

  /** Sets customers without regard to the marks. */
  write(writes: readonly CustomerWrite[]): void {
    for (const write of writes) this.#write(write);
  }

  #write({ customerId, head, chunks, deadlineAt }: CustomerWrite): void {
    if (head === null) {
      if (this.#heads.delete(customerId)) this.#sorted = null;
      this.#chunks.delete(customerId);
      this.#deadlines.set(customerId, null);
      return;
    }
    if (this.#sorted !== null && !this.#heads.has(customerId)) this.#sorted = null;
    this.#heads.set(customerId, head);
    this.#deadlines.set(customerId, deadlineAt);
    if (chunks.length === 0) return;
    const held = this.#chunks.get(customerId) ?? new Map<number, Uint8Array>();
    for (const [page, bytes] of chunks) {
      if (bytes === null) held.delete(page);
      else held.set(page, bytes);
    }
    if (held.size === 0) this.#chunks.delete(customerId);
    else this.#chunks.set(customerId, held);
  }
}

function firstAbove(sorted: readonly string[], customerId: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareUtf8(sorted[middle] ?? "", customerId) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
