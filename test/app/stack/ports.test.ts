import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { accepts, freePort } from "../../../src/app/stack/ports.ts";

test("none that the kernel gives away while a server is on its way up, none twice, and a free one", async () => {
  const ports: number[] = [];
  for (let i = 0; i < 100; i++) {
    ports.push(await freePort(32_768));
  }
  expect(Math.max(...ports)).toBeLessThan(32_768);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(20_000);
  expect(new Set(ports).size).toBe(ports.length);
  const server = createServer().listen(ports[0], "127.0.0.1");
  await once(server, "listening");
  expect(await accepts(ports[0]!)).toBe(true);
  server.close();
});

test("where the kernel gives away all of them, one of those", async () => {
  const port = await freePort(1024);
  expect(port).toBeGreaterThan(1024);
  expect(await accepts(port)).toBe(false);
});

test("a connection of somebody else's is not listened to", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(client, "connect");
  expect(await accepts(client.localPort!)).toBe(false);
  client.destroy();
  server.close();
});
