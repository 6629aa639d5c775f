import { createRequire } from "node:module";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { patchCoordinators } from "../../../src/adapters/kafka/coordinator-patch.ts";

const require = createRequire(import.meta.url);
const GROUP = 0;
const TRANSACTION = 1;

interface Cluster {
  findGroupCoordinatorMetadata(question: { groupId: string; coordinatorType: number }): Promise<unknown>;
}

/** kafkajs's own cluster over a broker that answers with `leader`, and how often it was asked for what. */
class Scene {
  leader = 1;
  readonly asked: string[] = [];
  readonly #cluster: Cluster;

  constructor() {
    const { prototype } = require("kafkajs/src/cluster/index.js") as { prototype: Cluster };
    const broker = {
      findGroupCoordinator: ({ groupId }: { groupId: string }) => {
        this.asked.push(groupId);
        return Promise.resolve({ host: "h", coordinator: { nodeId: this.leader } });
      },
    };
    this.#cluster = Object.assign(Object.create(prototype) as Cluster, {
      logger: { debug: () => undefined },
      brokerPool: {
        withBroker: (use: (found: object) => Promise<unknown>) => use({ nodeId: 0, broker }),
      },
      retrier: (attempt: (bail: (error: Error) => void) => Promise<unknown>) =>
        attempt((error) => {
          throw error;
        }),
    });
  }

  async find(groupId: string, coordinatorType: number): Promise<number> {
    const found = await this.#cluster.findGroupCoordinatorMetadata({ groupId, coordinatorType });
    return (found as { coordinator: { nodeId: number } }).coordinator.nodeId;
  }

  /** As kafkajs asks in one transaction. */
  async transaction(): Promise<number[]> {
    return [
      await this.find("app-0", TRANSACTION),
      await this.find("app", GROUP),
      await this.find("app-0", TRANSACTION),
      await this.find("app-0", TRANSACTION),
    ];
  }
}

let scene: Scene;
beforeEach(() => {
  vi.useFakeTimers({ now: 100_000 });
  patchCoordinators();
  scene = new Scene();
});
afterEach(() => void vi.useRealTimers());

test("transactions ask once for each coordinator, and once more a second later", async () => {
  await scene.transaction();
  await scene.transaction();
  expect(scene.asked).toEqual(["app-0", "app"]);
  vi.advanceTimersByTime(1_000);
  scene.leader = 2;
  expect(await scene.transaction()).toEqual([2, 2, 2, 2]);
  expect(scene.asked).toEqual(["app-0", "app", "app-0", "app"]);
});

test("a group's coordinator that has refused is asked for anew", async () => {
  await scene.transaction();
  scene.leader = 2;
  expect(await scene.find("app-0", TRANSACTION)).toBe(1);
  expect(await scene.find("app", GROUP)).toBe(1);
  expect(await scene.find("app", GROUP)).toBe(2);
});

test("who has no transactions is told what is true now", async () => {
  await scene.find("app", GROUP);
  await scene.find("other", GROUP);
  scene.leader = 2;
  expect(await scene.find("app", GROUP)).toBe(2);
});

test("one cluster does not know what another was told", async () => {
  await scene.transaction();
  const other = new Scene();
  other.leader = 7;
  expect(await other.transaction()).toEqual([7, 7, 7, 7]);
});
