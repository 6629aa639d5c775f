import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { start } from "../child.ts";

vi.setConfig({ testTimeout: 60_000 });

/** The threads' time to drain and to leave (I1): 0 by settings, and what is allowed beyond. */
const GIVEN_UP_MS = 6_500;
const MARGIN_MS = 5_000;

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that takes every connection and never says a word. */
async function silentServer(): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a stop that can't end in order ends in time, with 1 and what was given up (I1)", async () => {
  const silent = await silentServer();
  const child = start(["run"], {
    KAFKA_BROKERS: silent,
    SCHEMA_REGISTRY_URL: `http://${silent}`,
    REDIS_URL: `redis://${silent}`,
    CLIENTELA_DRAIN_MS: "0",
    CLIENTELA_THREADS: "2",
    CLIENTELA_HTTP_PORT: "0",
  });
  try {
    await vi.waitFor(() => expect(child.stderr()).toContain('"starting"'), 20_000);
    // The threads have begun to ask.
    await vi.waitFor(() => expect(sockets.size).toBeGreaterThan(1), 20_000);
    const askedAt = Date.now();
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(1);
    expect(Date.now() - askedAt).toBeLessThan(GIVEN_UP_MS + MARGIN_MS);
    expect(child.stderr()).toMatch(/^clientela: 2 thread\(s\) could not leave .* \[STOP_GIVEN_UP\]$/m);
  } finally {
    child.process.kill("SIGKILL");
  }
});
