import { createRequire } from "node:module";
// Before kafkajs's files are asked for one by one.
import "./kafkajs.ts";

const require = createRequire(import.meta.url);

/** What each method has been given already. */
const patched = new Map<string, Set<unknown>>();

/**
 * Puts something around a method of kafkajs's consumer groups, each `around` once for the process; the latest is the outermost.
 * @throws Error when kafkajs is not the version that is known: what relies on the patch must not run without it
 */
export function patchConsumerGroup<Method>(name: string, around: (original: Method) => Method): void {
  const arounds = patched.get(name) ?? new Set();
  if (arounds.has(around)) return;
  const { prototype } = require("kafkajs/src/consumer/consumerGroup.js") as {
    prototype: Record<string, Method | undefined>;
  };
  const original = prototype[name];
  if (original === undefined) throw new Error("this is not the kafkajs whose inside is known (2.2.4)");
  prototype[name] = around(original);
  patched.set(name, arounds.add(around));
}
