import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ReplicaWait } from "../../../src/adapters/redis/replica-wait.ts";

const TIMEOUT_MS = 100;

/** A key names the port of its server; `inStep` says how many replicas each has, by port. */
function world(inStep: Record<number, number>): {
  readonly wait: ReplicaWait;
  readonly asked: (readonly [port: number, replicas: number, timeoutMs: number])[];
  readonly told: string[];
} {
  const asked: (readonly [number, number, number])[] = [];
  const told: string[] = [];
  const quiet = (): void => undefined;
  const tell =
    (level: string) =>
    (fields: object): void =>
      void told.push(`${level} ${"server" in fields ? String(fields.server) : ""}`);
  const serverOf = (key: string): Promise<Redis> => {
    const port = Number(key);
    const node = {
      options: { host: "h", port },
      wait: (replicas: number, timeoutMs: number) => {
        asked.push([port, replicas, timeoutMs]);
        const found = inStep[port];
        return found === undefined
          ? Promise.reject(new Error("Connection is closed."))
          : Promise.resolve(found);
      },
    };
    return Promise.resolve(node as unknown as Redis);
  };
  const logger = { debug: quiet, info: tell("info"), warn: tell("warn"), error: tell("error") };
  return { wait: new ReplicaWait({ serverOf }, { replicas: 2, timeoutMs: TIMEOUT_MS }, logger), asked, told };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("waiting for replicas", () => {
  test("waits up to the whole time while enough of them answer, and says nothing", async () => {
    const { wait, asked, told } = world({ 1: 2, 2: 5 });
    for (const key of ["1", "2", "1"]) await wait.wait(key);
    expect(asked).toEqual([
      [1, 2, TIMEOUT_MS],
      [2, 2, TIMEOUT_MS],
      [1, 2, TIMEOUT_MS],
    ]);
    expect(told).toEqual([]);
  });

  test("where too few answered it only looks, but once a second waits again; other servers are waited for as before", async () => {
    const inStep: Record<number, number> = { 1: 1, 2: 2 };
    const { wait, asked, told } = world(inStep);
    for (const key of ["1", "1", "2"]) await wait.wait(key);
    vi.advanceTimersByTime(1001);
    for (const key of ["1", "1"]) await wait.wait(key);
    expect(asked.map(([port, , timeoutMs]) => [port, timeoutMs])).toEqual([
      [1, TIMEOUT_MS],
      [1, 1],
      [2, TIMEOUT_MS],
      [1, TIMEOUT_MS],
      [1, 1],
    ]);
    expect(told).toEqual(["warn h:1"]);
    inStep[1] = 2;
    for (const key of ["1", "1"]) await wait.wait(key);
    expect(asked.slice(-2).map(([, , timeoutMs]) => timeoutMs)).toEqual([1, TIMEOUT_MS]);
    expect(told).toEqual(["warn h:1", "info h:1"]);
  });

  test("without an answer the commit stands: nothing is thrown", async () => {
    const { wait, told } = world({});
    await expect(wait.wait("1")).resolves.toBeUndefined();
    expect(told).toEqual([]);
  });
});
