import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, inject, test } from "vitest";
import { createMemoryRegistry } from "../../src/adapters/avro/memory-registry.ts";
import { createRegistry, type SchemaSource } from "../../src/adapters/avro/registry.ts";
import { RefusedError, RetriableError } from "../../src/pipeline/errors.ts";
import { describeRegistry } from "./registry-suite.ts";

const real = (): SchemaSource => createRegistry(inject("endpoints").SCHEMA_REGISTRY_URL, null);

describeRegistry("in memory", createMemoryRegistry);
describeRegistry("Apicurio", real);

describe("a registry over HTTP", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** A registry that gives the same answer to everything, in so many requests. */
  async function answering(
    status: number,
    body: string,
  ): Promise<{ registry: SchemaSource; asked: () => number }> {
    let asked = 0;
    server = createServer((_request, response) => {
      asked++;
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
    const listening = server;
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const { port } = listening.address() as AddressInfo;
    return { registry: createRegistry(`http://127.0.0.1:${port}`, null), asked: () => asked };
  }

  async function register(type: string, schema: string): Promise<number> {
    const url = `${inject("endpoints").SCHEMA_REGISTRY_URL}/subjects/foreign-${type.toLowerCase()}/versions`;
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
      body: JSON.stringify({ schemaType: type, schema }),
    });
    return ((await answer.json()) as { id: number }).id;
  }

  test("one that refuses connections can't be asked: that passes (A4)", async () => {
    const { registry } = await answering(200, "{}");
    const closed = server;
    await new Promise((resolve) => closed?.close(resolve));
    await expect(registry.schemaById(1)).rejects.toBeInstanceOf(RetriableError);
  });

  test.each([
    [500, '{"error_code":50001,"message":"store"}'],
    [503, "<html>maintenance</html>"],
    [429, '{"message":"too many"}'],
    [200, "<html>a proxy's login page</html>"],
  ])("an answer %i %s passes, after it was asked for some times", async (status, body) => {
    const { registry, asked } = await answering(status, body);
    await expect(registry.schemaById(1)).rejects.toBeInstanceOf(RetriableError);
    expect(asked()).toBe(4);
  });

  test("one that wants other credentials is refused at once, with the settings to look at", async () => {
    const { registry, asked } = await answering(401, '{"error_code":401,"message":"Unauthorized"}');
    const refused = await registry.schemaById(1).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RefusedError);
    expect((refused as Error).message).toContain("CLIENTELA_REGISTRY_PASSWORD");
    expect(asked()).toBe(1);
  });

  test.each([
    ["JSON", JSON.stringify({ $schema: "http://json-schema.org/draft-07/schema#", type: "object" })],
    ["PROTOBUF", 'syntax = "proto3"; message Foreign { string name = 1; }'],
  ])("a %s schema is none of ours: the answer comes at once, and is no Avro schema", async (type, schema) => {
    const text = await real().schemaById(await register(type, schema));
    expect(text === null || !("fields" in (JSON.parse(text) as object))).toBe(true);
  });
});
