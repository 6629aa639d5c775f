import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { startHttpServer, type HttpServer } from "../../../src/adapters/http/server.ts";

const servers: HttpServer[] = [];
const PROBLEM = "application/problem+json";

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(
  parts: { troubles?: () => string[]; metrics?: () => Promise<{ contentType: string; body: string }> } = {},
): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    troubles: parts.troubles ?? (() => []),
    metrics:
      parts.metrics ?? (() => Promise.resolve({ contentType: "text/plain; version=0.0.4", body: "up 1\n" })),
  });
  servers.push(server);
  return (path, init) => fetch(server.address + path, init);
}

test("livez answers as long as the process does, whatever the troubles (I5)", async () => {
  const get = await serve({ troubles: () => ["shard 0 is waiting"] });
  const response = await get("/livez");
  expect([response.status, await response.json()]).toEqual([200, { status: "alive" }]);
});

test("readyz says ready, or what is in the way", async () => {
  let troubles: string[] = [];
  const get = await serve({ troubles: () => troubles });
  expect((await get("/readyz")).status).toBe(200);
  troubles = ["shard 0 is waiting: connection refused", "shard 1 is recovering"];
  const response = await get("/readyz");
  expect(response.status).toBe(503);
  expect(response.headers.get("content-type")).toContain(PROBLEM);
  expect(await response.json()).toEqual({
    type: "about:blank",
    title: "Not ready",
    status: 503,
    detail: "shard 0 is waiting: connection refused; shard 1 is recovering",
    troubles,
  });
  troubles = [];
  expect((await get("/readyz")).status).toBe(200);
});

test("metrics come in the registry's own format", async () => {
  const get = await serve();
  const response = await get("/metrics");
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  expect(await response.text()).toBe("up 1\n");
});

test.each([
  ["GET", "/nothing/here"],
  ["POST", "/livez"],
])("%s %s is nothing that exists: a problem of RFC 9457", async (method, path) => {
  const get = await serve();
  const response = await get(path, { method });
  expect(response.status).toBe(404);
  expect(response.headers.get("content-type")).toContain(PROBLEM);
  expect(await response.json()).toMatchObject({ title: "Not found", status: 404 });
});

test("a request that can't be read is the client's fault, and a problem too", async () => {
  const get = await serve();
  const response = await get("/%zz");
  expect(response.status).toBe(400);
  expect(response.headers.get("content-type")).toContain(PROBLEM);
  expect(await response.json()).toMatchObject({ status: 400 });
});

test("what fails inside is not shown to the caller", async () => {
  const get = await serve({ metrics: () => Promise.reject(new Error("secret: hunter2")) });
  const response = await get("/metrics");
  expect(response.status).toBe(500);
  expect(response.headers.get("content-type")).toContain(PROBLEM);
  expect(await response.text()).not.toContain("hunter2");
});

test("a port that is taken: says which setting to change", async () => {
  await serve();
  const taken = new URL(servers[0]!.address);
  const again = startHttpServer({
    host: "127.0.0.1",
    port: Number(taken.port),
    troubles: () => [],
    metrics: () => Promise.resolve({ contentType: "text/plain", body: "" }),
  });
  await expect(again).rejects.toMatchObject({ code: "HTTP_PORT", retriable: false });
  await expect(again).rejects.toThrow("CLIENTELA_HTTP_PORT");
});

test("a connection on which nobody asks anything does not hold up the stop", async () => {
  const server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    troubles: () => [],
    metrics: () => Promise.resolve({ contentType: "text/plain", body: "" }),
  });
  const { port } = new URL(server.address);
  const socket = connect({ host: "127.0.0.1", port: Number(port) });
  await once(socket, "connect");
  // Half a request: to the server this one is at work.
  socket.write("GET /livez HTTP/1.1\r\nHost: x\r\n");
  const gone = new Promise((resolve) => socket.on("error", resolve).on("close", resolve));
  await server.close();
  await gone;
});
