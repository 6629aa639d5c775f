import { patchMethod } from "./method-patch.ts";

/** An assigner whose consumer reads on with what it has while the group shares out anew. */
export interface ReadingOn {
  /** False: it is about to leave, and takes part no more. */
  staysInGroup(): boolean;
}

interface ConsumerGroup {
  readonly assigners: readonly Partial<ReadingOn>[];
  joinAndSync(): Promise<void>;
}

type Heartbeat = (this: ConsumerGroup, options: { interval: number }) => Promise<void>;
type Act = (this: ConsumerGroup) => Promise<void>;

/** What a group does besides reading. */
const joins = new WeakMap<ConsumerGroup, Promise<void>>();
const failures = new WeakMap<ConsumerGroup, { readonly error: unknown }>();

/**
 * When the group shares out anew, kafkajs (2.2.4) fetches nothing until the last member has joined: a consumer that has read all
 * there is has nothing buffered either, and stands still as long as the slowest member takes. With the patch it joins beside its
 * reading. Who owns a shard is decided by fencing and not by the group, so that reading on is no risk. Fetches have a connection
 * of their own, on which a join that waits for others holds up nothing. Consumers of others are left as they are.
 * @throws Error when kafkajs is not the version that is known
 */
export function patchRejoin(): void {
  patchMethod<Act>("consumerGroup", "joinAndSync", joiningOnce);
  patchMethod<Heartbeat>("consumerGroup", "heartbeat", joiningBeside);
  patchMethod<Act>("consumerGroup", "leave", leavingAfterJoin);
}

function joiningOnce(original: Act): Act {
  return function joinAndSync() {
    // What a fetch finds out may ask for a join as well.
    const ongoing = joins.get(this);
    if (ongoing !== undefined) return ongoing;
    const join = original.call(this).finally(() => joins.delete(this));
    joins.set(this, join);
    return join;
  };
}

function joiningBeside(original: Heartbeat): Heartbeat {
  return async function heartbeat(options) {
    const member = this.assigners.find(({ staysInGroup }) => staysInGroup !== undefined);
    if (member === undefined) return original.call(this, options);
    const failure = failures.get(this);
    failures.delete(this);
    // As if it had joined here: the runner tries again, or gives up.
    if (failure !== undefined) throw failure.error;
    // Whoever waits in a join is not missed.
    if (joins.has(this)) return;
    try {
      await original.call(this, options);
    } catch (error) {
      if ((error as { type?: unknown }).type !== "REBALANCE_IN_PROGRESS") throw error;
      // It would be given shards, and the group had to share them out once more when it leaves.
      if (member.staysInGroup?.() === false) return;
      this.joinAndSync().catch((failed: unknown) => failures.set(this, { error: failed }));
    }
  };
}

function leavingAfterJoin(original: Act): Act {
  return async function leave() {
    // The goodbye would wait behind the join, and a first join has given the member no name yet to say it by.
    await joins.get(this)?.catch(() => undefined);
    return original.call(this);
  };
}
