import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CLUSTER_SLOTS, slotOfTag } from "../../../src/adapters/redis/slots.ts";
import { RedisProcess } from "./redis-process.ts";

const READY_MS = 30_000;
/**
 * How long a master is silent before the others call it failed and its replica takes over: longer than a busy machine lets a
 * process wait, or tests that fail nothing over would see it too.
 */
export const NODE_TIMEOUT_MS = 2500;

interface Node {
  readonly server: RedisProcess;
  readonly id: string;
}

/** What one node says of another: a line of CLUSTER NODES. */
interface Seen {
  readonly id: string;
  readonly flags: readonly string[];
  readonly masterId: string | null;
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/**
 * A Redis Cluster on loopback, masters with one replica each, put together by its own commands: redis-cli may not be there.
 * Operators' doings as methods: moving a slot, failing over by hand, killing a node and starting it again.
 */
export class RedisCluster {
  readonly #dir: string;
  readonly #nodes: Node[];

  private constructor(dir: string, nodes: Node[]) {
    this.#dir = dir;
    this.#nodes = nodes;
  }

  static async start({ masters = 3 }: { readonly masters?: number } = {}): Promise<RedisCluster> {
    const dir = mkdtempSync(join(tmpdir(), "clientela-cluster-"));
    const args = [
      ...["--cluster-enabled", "yes", "--cluster-node-timeout", String(NODE_TIMEOUT_MS)],
      // What is written outlives a SIGKILL without being flushed to the disk, and a slow disk holds no node up.
      ...["--appendonly", "yes", "--appendfsync", "no"],
      ...[
        "--repl-diskless-sync",
        "yes",
        "--repl-diskless-sync-delay",
        "0",
        "--repl-ping-replica-period",
        "1",
      ],
      // A replica stays with its master, so that tests know who takes over for whom.
      ...["--cluster-migration-barrier", "10"],
    ];
    const servers = await Promise.all(
      Array.from({ length: 2 * masters }, () => RedisProcess.start(dir, args)),
    );
    const nodes = await Promise.all(
      servers.map(async (server) => ({ server, id: await server.admin.cluster("MYID") })),
    );
    const cluster = new RedisCluster(dir, nodes);
    try {
      await cluster.#putTogether(masters);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** As REDIS_URL wants it: some of the nodes. */
  get url(): string {
    return this.#nodes.map(({ server }) => server.url).join(",");
  }

  get servers(): readonly RedisProcess[] {
    return this.#nodes.map(({ server }) => server);
  }

  /** The master that serves the key's slot, as the majority of running nodes sees it. */
  async masterOf(key: string): Promise<RedisProcess> {
    return (await this.#ownerOf(slotOfKey(key))).server;
  }

  /** Its replica. */
  async replicaOf(master: RedisProcess): Promise<RedisProcess> {
    const { id } = this.#node(master);
    const found = (await this.#seenBy(this.#anyRunning())).find(
      ({ masterId, flags }) => masterId === id && !flags.includes("fail"),
    );
    if (found === undefined) throw new Error(`${master.address} has no replica`);
    return this.#byId(found.id).server;
  }

  /** Masters that serve slots. */
  async masters(): Promise<RedisProcess[]> {
    const seen = await this.#seenBy(this.#anyRunning());
    return seen.filter(({ slots }) => slots.length > 0).map(({ id }) => this.#byId(id).server);
  }

  /**
   * Moves the key's slot to another master, as an operator's resharding does: one key at a time, `between` is called before the
   * first, after each, and before the slot is given over.
   */
  async moveSlot(
    key: string,
    target: RedisProcess,
    between: (moved: number) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const slot = slotOfKey(key);
    const from = await this.#ownerOf(slot);
    const to = this.#node(target);
    await to.server.admin.cluster("SETSLOT", slot, "IMPORTING", from.id);
    await from.server.admin.cluster("SETSLOT", slot, "MIGRATING", to.id);
    let moved = 0;
    await between(moved);
    for (;;) {
      const [next] = await from.server.admin.cluster("GETKEYSINSLOT", slot, 1);
      if (next === undefined) break;
      await from.server.admin.migrate("127.0.0.1", target.port, next, 0, 5000);
      await between(++moved);
    }
    await to.server.admin.cluster("SETSLOT", slot, "NODE", to.id);
    await from.server.admin.cluster("SETSLOT", slot, "NODE", to.id);
    await until(`slot ${slot} at ${target.address}`, async () => (await this.#ownerOf(slot)).id === to.id);
  }

  /** `CLUSTER FAILOVER` on the replica; resolves when it serves. FORCE does not wait for what the master still has to send. */
  async failOver(replica: RedisProcess, how: "AGREED" | "FORCE" | "TAKEOVER" = "AGREED"): Promise<void> {
    if (how === "AGREED") await replica.admin.cluster("FAILOVER");
    else await replica.admin.call("CLUSTER", "FAILOVER", how);
    await this.untilServing(replica);
  }

  /** Until all running nodes agree that this one is a master with slots, and that all slots are served. */
  async untilServing(server: RedisProcess): Promise<void> {
    const { id } = this.#node(server);
    await until(`${server.address} as master`, async () => {
      const views = await Promise.all(this.#running().map((node) => this.#seenBy(node)));
      return views.every((seen) => seen.some((each) => each.id === id && each.slots.length > 0));
    });
    await this.untilOk();
  }

  /** Until every running node serves all slots, all agree who replicates whom, and every running replica is linked to its master. */
  async untilOk(): Promise<void> {
    await until("one view of the cluster", async () => {
      const running = this.#running();
      const views = await Promise.all(running.map((node) => this.#seenBy(node)));
      const roles = views.map((seen) =>
        running.map(({ id }) => {
          const each = seen.find((other) => other.id === id);
          if (each === undefined || each.flags.some((flag) => flag.startsWith("fail"))) return "gone";
          return each.masterId ?? (each.slots.length > 0 ? "master" : "idle");
        }),
      );
      const [first = []] = roles;
      return roles.every((each) =>
        each.every((role, i) => role === first[i] && role !== "gone" && role !== "idle"),
      );
    });
    await until("a cluster that serves all slots", async () => {
      const infos = await Promise.all(this.#running().map(({ server }) => server.admin.cluster("INFO")));
      return infos.every((info) => info.includes("cluster_state:ok"));
    });
    await until("replicas in step", async () => {
      const infos = await Promise.all(this.#running().map(({ server }) => server.admin.info("replication")));
      return infos.every((info) => info.includes("role:master") || info.includes("master_link_status:up"));
    });
  }

  /** From now on the replica hears nothing from its master, as behind a network that drops what is sent. The answer lets it go. */
  async holdBack(replica: RedisProcess, master: RedisProcess): Promise<() => Promise<void>> {
    // A master without a password refuses one that gives it, so that the link can't come back.
    await replica.admin.config("SET", "masterauth", "held-back");
    await master.admin.call("CLIENT", "KILL", "TYPE", "replica");
    await until(`${replica.address} cut off`, async () =>
      (await replica.admin.info("replication")).includes("master_link_status:down"),
    );
    return async () => {
      await replica.admin.config("SET", "masterauth", "");
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ server }) => server.kill()));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #putTogether(masters: number): Promise<void> {
    const [first] = this.#nodes;
    if (first === undefined) throw new Error("a cluster needs nodes");
    const leading = this.#nodes.slice(0, masters);
    for (const [i, { server }] of this.#nodes.entries()) {
      await server.admin.cluster("SET-CONFIG-EPOCH", i + 1);
      if (server !== first.server) await server.admin.cluster("MEET", "127.0.0.1", first.server.port);
    }
    await Promise.all(
      leading.map(({ server }, i) => {
        const from = Math.floor((i * CLUSTER_SLOTS) / masters);
        const to = Math.floor(((i + 1) * CLUSTER_SLOTS) / masters);
        // ADDSLOTSRANGE is not there before version 7.
        return server.admin.cluster("ADDSLOTS", ...Array.from({ length: to - from }, (_, j) => from + j));
      }),
    );
    await until("all nodes know each other", async () => {
      const views = await Promise.all(this.#nodes.map((node) => this.#seenBy(node)));
      return views.every(
        (seen) =>
          seen.length === this.#nodes.length &&
          seen.every(({ flags }) => !flags.includes("handshake") && !flags.includes("noaddr")) &&
          seen.filter(({ slots }) => slots.length > 0).length === masters,
      );
    });
    for (const [i, { server }] of this.#nodes.slice(masters).entries()) {
      await server.admin.cluster("REPLICATE", leading[i]?.id ?? "");
    }
    await until("each master has its replica", async () => {
      const views = await Promise.all(this.#nodes.map((node) => this.#seenBy(node)));
      return views.every((seen) => seen.filter(({ masterId }) => masterId !== null).length === masters);
    });
    await this.untilOk();
  }

  /** Until the running nodes agree on one. */
  async #ownerOf(slot: number): Promise<Node> {
    const found: Node[] = [];
    await until(`an owner of slot ${slot}`, async () => {
      const views = await Promise.all(this.#running().map((node) => this.#seenBy(node)));
      const ids = views.map(
        (seen) => seen.find(({ slots }) => slots.some(([first, last]) => first <= slot && slot <= last))?.id,
      );
      const [id] = ids;
      if (id === undefined || !ids.every((each) => each === id)) return false;
      found.push(this.#byId(id));
      return true;
    });
    return found[0] ?? this.#anyRunning();
  }

  async #seenBy({ server }: Node): Promise<Seen[]> {
    return String(await server.admin.cluster("NODES"))
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [id = "", , flags = "", masterId = "-", , , , , ...ranges] = line.split(" ");
        return {
          id,
          flags: flags.split(","),
          masterId: masterId === "-" ? null : masterId,
          slots: ranges
            .filter((range) => !range.startsWith("["))
            .map((range) => {
              const [from = "", to = from] = range.split("-");
              return [Number(from), Number(to)] as const;
            }),
        };
      });
  }

  #running(): Node[] {
    return this.#nodes.filter(({ server }) => server.isRunning);
  }

  #anyRunning(): Node {
    const [node] = this.#running();
    if (node === undefined) throw new Error("no node of the cluster runs");
    return node;
  }

  #node(server: RedisProcess): Node {
    const node = this.#nodes.find((each) => each.server === server);
    if (node === undefined) throw new Error(`${server.address} is not of this cluster`);
    return node;
  }

  #byId(id: string): Node {
    const node = this.#nodes.find((each) => each.id === id);
    if (node === undefined) throw new Error(`the cluster has a node ${id} that nobody started`);
    return node;
  }
}

/** Slot of a key that has a hash tag. */
export function slotOfKey(key: string): number {
  const tag = /\{([^{}]+)\}/.exec(key)?.[1];
  if (tag === undefined) throw new Error(`${key} has no hash tag`);
  return slotOfTag(tag);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${READY_MS} ms: ${what}`);
    await sleep(20);
  }
}
