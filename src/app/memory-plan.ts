import { totalmem } from "node:os";
import { availableMemory, constrainedMemory } from "node:process";
import { UsageError } from "../pipeline/errors.ts";

/** What each thread may take, MiB. */
export interface MemoryPlan {
  readonly heapMiB: number;
  /** Of the heap: where all is made that is made. */
  readonly youngMiB: number;
  /** Of the heap: decoded customers. */
  readonly cacheMiB: number;
}

/** Of the machine, or of the container where that has less; bytes. */
interface MachineMemory {
  readonly total: number;
  /** Nobody has it now. */
  readonly available: number;
}

/** Share of what is available that the heaps may grow to; V8 collects the less often the more it may have. */
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
/** A heap grows to four times what it holds before it is collected (see `collectorFlags`): a fifth leaves the rest its room. */
const CACHE_SHARE = 1 / 5;
/** A heap that has less room beside its customers would be collected again and again. */
const LEAST_HEAPS_A_CACHE = 2;
/** A heap of so much is marked at once in a second and a half at most: see `MARK_AT_ONCE`. */
const MARKED_AT_ONCE_MIB = 1024;

/** Shares memory out to so many threads. A cache that is asked for is had. Throws UsageError when the machine could never hold it. */
export function planMemory(
  threads: number,
  cacheMiB: number | "auto",
  { total, available }: MachineMemory = machineMemory(),
): MemoryPlan {
  const sharedOut = Math.min(GREATEST_HEAP_MIB, Math.floor((available * HEAP_SHARE) / threads / 2 ** 20));
  const youngMiB = Math.min(YOUNG_GENERATION_MIB, Math.ceil(sharedOut * YOUNG_SHARE));
  if (cacheMiB === "auto") {
    const share = Math.max(1, Math.floor(sharedOut * CACHE_SHARE));
    return { heapMiB: sharedOut, youngMiB, cacheMiB: Math.min(MARKED_AT_ONCE_MIB, share) };
  }
  const greatest = Math.floor(total / threads / LEAST_HEAPS_A_CACHE / 2 ** 20);
  if (cacheMiB > greatest) {
    throw new UsageError("SETTINGS", [
      `CLIENTELA_CACHE_MIB: ${cacheMiB} in each of ${threads} thread(s) is more than there is room for: at most ${greatest} here, or fewer threads (CLIENTELA_THREADS)`,
    ]);
  }
  return { heapMiB: Math.max(sharedOut, LEAST_HEAPS_A_CACHE * cacheMiB), youngMiB, cacheMiB };
}

function machineMemory(): MachineMemory {
  // 0, or more than there is, where nothing is constrained.
  const total = Math.min(totalmem(), constrainedMemory() || Infinity);
  return { total, available: availableMemory() };
}

/**
 * Fetched records wait in buffers outside of the heap, until old ones of them are freed by a collection of the whole heap. V8 starts
 * one for every 64 MiB of those, however large the heap: three times as many as the heap itself asks for, and a quarter of what a
 * busy thread did. With this flag of V8 (Node 24) they count as the heap's own.
 */
const EXTERNAL_MEMORY_IN_HEAP = "--external-memory-accounted-in-global-limit";
/**
 * A heap is collected as a whole when it has grown by a share of what was left of it last time: three times as much room takes a tenth
 * less CPU at 15 000 events a second (58 µs an event to 52), and a twentieth more memory on a backlog; the heap's limit holds.
 */
const COLLECT_OLD_SELDOM = "--heap-growing-percent=300";
/**
 * V8 makes what it takes for lasting old from the start, after a few looks at where such objects are made. It takes a batch's writes and
 * changes for lasting, because they outlive a few collections of young garbage: as old garbage they pin the young buffers they name, and
 * pools of buffers with them, until the whole heap is collected. Made young, 17 MB a second of pinned buffers became 1 (a thread at 7 500 events a
 * second), and whole heaps were collected every 60 to 95 s, not every 38.
 */
const MAKE_NOTHING_OLD = "--no-allocation-site-pretenuring";
/**
 * A whole heap is marked at once, by all cores, and the thread stops for it. Bit by bit, V8 leaves a busy thread next to nothing for longer: its steps
 * follow each 64 KiB that are made. A heap of several GiB would stop for longer than a thread may be silent in its group.
 */
const MARK_AT_ONCE = "--no-incremental-marking";

/** V8's flags for the threads of a plan, to be set before they are started (docs/decisions/0016). */
export function collectorFlags({ cacheMiB }: MemoryPlan): readonly string[] {
  const [major = 0] = process.versions.node.split(".").map(Number);
  return [
    ...(major >= 24 ? [EXTERNAL_MEMORY_IN_HEAP] : []),
    COLLECT_OLD_SELDOM,
    MAKE_NOTHING_OLD,
    ...(cacheMiB <= MARKED_AT_ONCE_MIB ? [MARK_AT_ONCE] : []),
  ];
}
