import { availableMemory } from "node:process";
import { setFlagsFromString } from "node:v8";
import { UsageError } from "../pipeline/errors.ts";

/** What each thread may take, MiB. */
export interface MemoryPlan {
  readonly heapMiB: number;
  /** Of the heap: where all is made that is made. */
  readonly youngMiB: number;
  /** Of the heap: decoded customers. */
  readonly cacheMiB: number;
}

/** Share of the machine's memory that the heaps may grow to; V8 collects the less often the more it may have. */
const HEAP_SHARE = 0.6;
const GREATEST_HEAP_MIB = 12_288;
/**
 * What a batch makes is mostly dead when so much has been made that it is looked at: with a third of it three times as many batches were
 * under way then, and copied (46 µs of CPU an event for 52 at 15 000 events a second, 5 % more events a second on a backlog, 100 MiB more
 * memory). Twice as much did not pay.
 */
const YOUNG_GENERATION_MIB = 192;
/** Of a small heap the young generation is no more than this. */
const YOUNG_SHARE = 1 / 8;
/** A heap grows to four times what it holds before it is collected (see `tellCollector`): a fifth leaves the rest its room. */
const CACHE_SHARE = 1 / 5;
/** Beyond, a heap that is full of customers would be collected again and again. */
const GREATEST_CACHE_SHARE = 1 / 2;
/** A heap of so much is marked at once in a second and a half at most: see `tellCollector`. */
const MARKED_AT_ONCE_MIB = 1024;

/** Shares the machine's memory, or the container's, out to so many threads. Throws UsageError when the cache has no room in it. */
export function planMemory(
  threads: number,
  cacheMiB: number | "auto",
  available = availableMemory(),
): MemoryPlan {
  const heapMiB = Math.min(GREATEST_HEAP_MIB, Math.floor((available * HEAP_SHARE) / threads / 2 ** 20));
  const greatest = Math.floor(heapMiB * GREATEST_CACHE_SHARE);
  if (cacheMiB !== "auto" && cacheMiB > greatest) {
    throw new UsageError("SETTINGS", [
      `CLIENTELA_CACHE_MIB: ${cacheMiB} in each of ${threads} thread(s) is more than this machine has room for: at most ${greatest}, or fewer threads (CLIENTELA_THREADS)`,
    ]);
  }
  return {
    heapMiB,
    youngMiB: Math.min(YOUNG_GENERATION_MIB, Math.ceil(heapMiB * YOUNG_SHARE)),
    cacheMiB:
      cacheMiB === "auto"
        ? Math.max(1, Math.min(MARKED_AT_ONCE_MIB, Math.floor(heapMiB * CACHE_SHARE)))
        : cacheMiB,
  };
}

/** Sets V8's flags for all threads of the process that are started from then on (docs/decisions/0016). */
export function tellCollector({ cacheMiB }: MemoryPlan): void {
  countExternalMemoryInHeap();
  collectOldSeldom();
  makeNothingOld();
  if (cacheMiB <= MARKED_AT_ONCE_MIB) markAtOnce();
}

/**
 * Fetched records wait in buffers outside of the heap, until old ones of them are freed by a collection of the whole heap. V8 starts
 * one for every 64 MiB of those, however large the heap: three times as many as the heap itself asks for, and a quarter of what a
 * busy thread did. With this flag of V8 (Node 24) they count as the heap's own.
 */
function countExternalMemoryInHeap(): void {
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major >= 24) setFlagsFromString("--external-memory-accounted-in-global-limit");
}

/**
 * A heap is collected as a whole when it has grown by a share of what was left of it last time: three times as much room takes a tenth
 * less CPU at 15 000 events a second (58 µs an event to 52), and a twentieth more memory on a backlog; the heap's limit holds.
 */
function collectOldSeldom(): void {
  setFlagsFromString("--heap-growing-percent=300");
}

/**
 * V8 makes what it takes for lasting old from the start, after a few looks at where such objects are made. It takes a batch's writes and
 * changes for lasting, because they outlive a few collections of young garbage: as old garbage they pin the young buffers they name, and
 * pools of buffers with them, until the whole heap is collected. Made young, 17 MB a second of pinned buffers became 1 (a thread at 7 500 events a
 * second), and whole heaps were collected every 60 to 95 s, not every 38.
 */
function makeNothingOld(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}

/**
 * A whole heap is marked at once, by all cores, and the thread stops for it. Bit by bit, V8 leaves a busy thread next to nothing for longer: its steps
 * follow each 64 KiB that are made. A heap of several GiB would stop for longer than a thread may be silent in its group.
 */
function markAtOnce(): void {
  setFlagsFromString("--no-incremental-marking");
}
