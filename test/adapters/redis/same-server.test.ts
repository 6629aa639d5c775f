import { describe, expect, test } from "vitest";
import { SameServer } from "../../../src/adapters/redis/same-server.ts";
import { RetriableError } from "../../../src/pipeline/errors.ts";

const [PRESENT, FORMER] = [{ name: "present" }, { name: "former" }];

interface World {
  /** Where commands go; a test moves it. */
  route: object;
  readonly server: SameServer;
  readonly ask: () => Promise<object>;
}

function world(): World {
  const routes = { now: PRESENT as object };
  return {
    get route() {
      return routes.now;
    },
    set route(route) {
      routes.now = route;
    },
    server: new SameServer({ routeOf: () => Promise.resolve(routes.now) }),
    ask: () => Promise.resolve(routes.now),
  };
}

describe("a read and the position after it (A4)", () => {
  test("of one server go through", async () => {
    const { server, ask } = world();
    await server.read("k", ask);
    expect(await server.position("k", ask)).toBe(PRESENT);
  });

  test("of two servers are refused, whichever came first", async () => {
    for (const [first, second] of [
      [FORMER, PRESENT],
      [PRESENT, FORMER],
    ] as const) {
      const found = world();
      found.route = first;
      await found.server.read("k", found.ask);
      found.route = second;
      await expect(found.server.position("k", found.ask)).rejects.toMatchObject({ code: "STATE_MOVED" });
      // What is read from then on counts anew.
      await found.server.read("k", found.ask);
      expect(await found.server.position("k", found.ask)).toBe(second);
    }
  });

  test("a position without a read before it, and reads of other shards, stand in nobody's way", async () => {
    const found = world();
    expect(await found.server.position("k", found.ask)).toBe(PRESENT);
    await found.server.read("other", found.ask);
    found.route = FORMER;
    expect(await found.server.position("k", found.ask)).toBe(FORMER);
  });

  test("a read whose server changed under it is asked again: a redirection costs no more than that", async () => {
    const found = world();
    let asked = 0;
    const answer = await found.server.read("k", () => {
      asked++;
      found.route = FORMER;
      return Promise.resolve(asked);
    });
    expect(answer).toBe(2);
    expect(await found.server.position("k", found.ask)).toBe(FORMER);
  });

  test("one that never comes to rest gives up for now", async () => {
    const found = world();
    const restless = (): Promise<void> => {
      found.route = {};
      return Promise.resolve();
    };
    await expect(found.server.read("k", restless)).rejects.toBeInstanceOf(RetriableError);
  });
});
