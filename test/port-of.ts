import type { ShardLog } from "../src/pipeline/ports.ts";

/** A log whose methods can be replaced one by one: those of a class are not its own properties. */
export function portOf(log: ShardLog): ShardLog {
  return {
    packing: log.packing,
    fence: () => log.fence(),
    seek: (offsets) => log.seek(offsets),
    buffered: (topic) => log.buffered(topic),
    take: (topic, count) => log.take(topic, count),
    position: (topic) => log.position(topic),
    caughtUp: (topic, since) => log.caughtUp(topic, since),
    changed: (signal) => log.changed(signal),
    knownEnd: (topic) => log.knownEnd(topic),
    ends: () => log.ends(),
    commit: (output, committed) => log.commit(output, committed),
    close: () => log.close(),
  };
}
