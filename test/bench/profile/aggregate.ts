import { CALLER, fileOf, placeOf, UNMAPPED, type Area } from "./areas.ts";

export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

/** A function in the place where it was called, and what it took itself. */
export interface ProfileNode {
  readonly callFrame: CallFrame;
  readonly self: number;
  readonly children: readonly ProfileNode[];
}

/** What functions took themselves, added up: in the unit of the nodes. */
export interface Aggregate {
  readonly total: number;
  readonly areas: ReadonlyMap<Area, number>;
  /** By name, file and line. */
  readonly functions: ReadonlyMap<string, number>;
}

/** Of more than this share it must be known where it belongs, or the table of areas is out of date. */
export const GREATEST_UNMAPPED_SHARE = 0.03;

/** Not work. */
const WITHOUT = new Set(["(idle)", "(root)"]);

interface Caller {
  readonly area: Area;
  /** The nearest that has a file; empty when there is none. */
  readonly name: string;
}

/** Adds up trees, one of each thread. Throws when too much of it belongs nowhere. */
export function aggregate(roots: readonly ProfileNode[], projectRoot: string): Aggregate {
  const areas = new Map<Area, number>();
  const functions = new Map<string, number>();
  const strangers = new Map<string, number>();
  let total = 0;
  const visit = ({ callFrame, self, children }: ProfileNode, caller: Caller): void => {
    const file = fileOf(callFrame.url, projectRoot);
    const place = placeOf(callFrame.functionName, file);
    const area = place === CALLER ? caller.area : place;
    const name = nameOf(callFrame, file, caller.name);
    const asCaller = { area, name: file === "" ? caller.name : name };
    for (const node of children) visit(node, asCaller);
    if (self === 0 || WITHOUT.has(callFrame.functionName)) return;
    total += self;
    add(areas, area, self);
    add(functions, name, self);
    if (area === UNMAPPED) add(strangers, name, self);
  };
  for (const root of roots) visit(root, { area: UNMAPPED, name: "" });
  const unmapped = areas.get(UNMAPPED) ?? 0;
  if (unmapped > total * GREATEST_UNMAPPED_SHARE) {
    const worst = greatest(strangers, 5).map(([name]) => name);
    throw new Error(
      `${Math.round((100 * unmapped) / total)} % of the profile belong to no area: ${worst.join(", ")}`,
    );
  }
  return { total, areas, functions };
}

/** Built-in functions and generated code have no file: they are told apart by whom they work for. */
function nameOf({ functionName, lineNumber }: CallFrame, file: string, caller: string): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (file !== "") return `${name} ${file}:${lineNumber + 1}`;
  return caller === "" ? name : `${name} in ${caller}`;
}

export function add<K>(sums: Map<K, number>, key: K, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

/** The greatest first. */
export function greatest<K>(sums: ReadonlyMap<K, number>, count: number): [K, number][] {
  return [...sums].sort(([, a], [, b]) => b - a).slice(0, count);
}
