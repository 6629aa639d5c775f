import type { CallFrame, ProfileNode } from "./aggregate.ts";

/** As V8 writes it (.cpuprofile). Times are microseconds of the clock of `process.hrtime`. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Before each sample, since the one before it. */
  readonly timeDeltas: readonly number[];
}

/** Microseconds of the clock of `process.hrtime`, which all processes of a machine share. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** The tree of a thread, with the microseconds of the window that each function was found at work. */
export function cpuTree(
  { nodes, startTime, samples, timeDeltas }: CpuProfile,
  { from, to }: Window,
): ProfileNode {
  const micros = new Map<number, number>();
  let at = startTime + (timeDeltas[0] ?? 0);
  for (const [i, id] of samples.entries()) {
    // A sample stands for the time until the next one; the last, for none.
    const until = at + (timeDeltas[i + 1] ?? 0);
    const within = Math.min(until, to) - Math.max(at, from);
    if (within > 0) micros.set(id, (micros.get(id) ?? 0) + within);
    at = until;
  }
  const [root] = nodes;
  if (root === undefined) throw new Error("the profile has no nodes");
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const treeOf = (id: number): ProfileNode => {
    const node = byId.get(id);
    if (node === undefined) throw new Error(`the profile has no node ${id}`);
    return {
      callFrame: node.callFrame,
      self: micros.get(id) ?? 0,
      children: (node.children ?? []).map(treeOf),
    };
  };
  return treeOf(root.id);
}

/** As V8's sampling heap profiler gives it. */
export interface AllocationNode {
  readonly callFrame: CallFrame;
  /** Bytes, estimated from the samples. */
  readonly selfSize: number;
  readonly children: readonly AllocationNode[];
}

/** The tree of a thread, with the bytes that each function allocated itself. */
export function allocationTree({ callFrame, selfSize, children }: AllocationNode): ProfileNode {
  return { callFrame, self: selfSize, children: children.map(allocationTree) };
}
