import { createRequire } from "node:module";
// Before kafkajs's files are asked for one by one.
import "./kafkajs.ts";

const require = createRequire(import.meta.url);

/** Files of kafkajs (2.2.4) that each export the one class whose methods are patched. */
export const PATCHED = {
  cluster: "kafkajs/src/cluster/index.js",
  consumerGroup: "kafkajs/src/consumer/consumerGroup.js",
  requestQueue: "kafkajs/src/network/requestQueue/index.js",
} as const;
type Patched = keyof typeof PATCHED;

/** What each method has been given already. */
const given = new Map<string, Set<unknown>>();

/**
 * Puts something around a method of a class of kafkajs, each `around` once for the process; the latest is the outermost.
 * @throws Error when kafkajs is not the version that is known: what relies on the patch must not run without it
 */
export function patchMethod<Method>(of: Patched, name: string, around: (original: Method) => Method): void {
  const method = `${of}.${name}`;
  const arounds = given.get(method) ?? new Set();
  if (arounds.has(around)) return;
  const { prototype } = require(PATCHED[of]) as { prototype: Record<string, Method | undefined> };
  const original = prototype[name];
  if (original === undefined) throw new Error("this is not the kafkajs whose inside is known (2.2.4)");
  prototype[name] = around(original);
  given.set(method, arounds.add(around));
}
