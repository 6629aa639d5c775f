import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readSettings, SETTINGS } from "../../src/app/settings.ts";

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
  readonly restart?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(pathOf(path), "utf8");

const compose = parse(read("docker-compose.yml"), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const own = services.filter(([, { build }]) => build !== undefined);
const dockerfile = read("Dockerfile").replaceAll("\\\n", " ");

/** `NAME=value` pairs of the image itself. */
const imageEnvironment = Array.from(dockerfile.matchAll(/^ENV (.*)$/gm), ([, pairs = ""]) => pairs.split(" "))
  .flat()
  .map((pair) => pair.slice(0, pair.indexOf("=")));

function isOneShot({ healthcheck }: Service): boolean {
  return healthcheck?.disable === true;
}

describe("docker-compose.yml", () => {
  const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictTypes: false });
  const isCompose = ajv.compile(JSON.parse(read("test/deploy/compose-spec/compose-spec.json")) as object);

  it("is a compose file by the published schema", () => {
    isCompose(compose);
    expect(isCompose.errors ?? []).toEqual([]);
  });

  it.each([
    ["a misspelt key", { restarts: "always" }],
    ["a condition that does not exist", { depends_on: { redis: { condition: "service_ready" } } }],
    ["a health check of unknown fields", { healthcheck: { tests: ["CMD", "true"] } }],
  ])("would not be one with %s", (_, wrong) => {
    const { clientela } = compose.services;
    expect(
      isCompose({ ...compose, services: { ...compose.services, clientela: { ...clientela, ...wrong } } }),
    ).toBe(false);
  });

  it("sets only what clientela reads", () => {
    const known = new Set<string>(Object.values(SETTINGS).map(({ env }) => env));
    expect(own.map(([name]) => name)).toEqual(["setup", "clientela", "produce"]);
    for (const [name, { environment = {} }] of own) {
      expect(
        Object.keys(environment).filter((variable) => !known.has(variable)),
        name,
      ).toEqual([]);
    }
    expect(imageEnvironment.filter((variable) => !known.has(variable))).toEqual(["NODE_ENV"]);
  });

  it("gives settings that clientela accepts, on hosts and ports that are there", () => {
    for (const [, { environment = {} }] of own) {
      const text = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, String(value)]),
      );
      expect(() => readSettings(text)).not.toThrow();
      const hosts = ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "REDIS_URL"].map(
        (name) => /^(?:\w+:\/\/)?([\w-]+):\d+/.exec(String(environment[name]))?.[1],
      );
      for (const host of hosts) expect(Object.keys(compose.services)).toContain(host);
    }
  });

  it("mounts only what is in the repository, or a volume that it names", () => {
    const sources = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(":")[0] ?? ""),
    );
    expect(sources.filter((source) => source.startsWith(".")).length).toBeGreaterThan(0);
    for (const source of sources) {
      if (source.startsWith(".")) expect(existsSync(pathOf(source)), source).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
    expect(Object.keys(compose.volumes).filter((volume) => !sources.includes(volume))).toEqual([]);
  });

  it("is reached from this machine only", () => {
    const ports = services.flatMap(([, { ports: published = [] }]) => published);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
    const taken = ports.map((port) => port.split(":")[1]);
    expect(new Set(taken).size).toBe(taken.length);
  });

  it("names the version of every image", () => {
    const images = services.flatMap(([, { image }]) => image ?? []);
    expect(images.filter((image) => !/:[\w.-]+$/.test(image) || image.endsWith(":latest"))).toEqual([]);
  });

  it("runs the Kafka and the registry that the stack runs", () => {
    const pom = read("pom.xml");
    const versionOf = (artifact: string): string =>
      new RegExp(`<artifactId>${artifact}</artifactId>\\s*<version>([^<]+)<`).exec(pom)?.[1] ?? "";
    expect(compose.services["kafka"]?.image).toBe(`apache/kafka:${versionOf("kafka_2.13")}`);
    expect(compose.services["registry"]?.image).toBe(
      `apicurio/apicurio-registry-kafkasql:${versionOf("apicurio-registry-app")}`,
    );
  });

  it("waits for health of what has a health check, and for the end of what ends", () => {
    for (const [name, { depends_on: dependencies = {} }] of services) {
      for (const [dependency, { condition }] of Object.entries(dependencies)) {
        const service = compose.services[dependency];
        if (service === undefined) throw new Error(`${name} waits for ${dependency}, which is not there`);
        expect(condition, `${name} waits for ${dependency}`).toBe(
          isOneShot(service) ? "service_completed_successfully" : "service_healthy",
        );
      }
    }
  });

  it("checks the health of everything that stays", () => {
    const unchecked = services.filter(
      ([, service]) =>
        !isOneShot(service) &&
        service.healthcheck?.test === undefined &&
        !(service.build !== undefined && dockerfile.includes("HEALTHCHECK")),
    );
    expect(unchecked.map(([name]) => name)).toEqual([]);
    expect(services.filter(([, service]) => isOneShot(service) && service.restart !== undefined)).toEqual([]);
  });

  it("is scraped where it serves, and shown where dashboards are looked for", () => {
    const { scrape_configs: scraped } = parse(read("deploy/prometheus/prometheus.yml")) as {
      scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    const [target] = scraped[0]?.dns_sd_configs ?? [];
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(target?.names ?? ["none"]));
    expect(String(target?.port)).toBe(SETTINGS.httpPort.fallback);
    const { datasources } = parse(read("deploy/grafana/provisioning/datasources/prometheus.yml")) as {
      datasources: { url: string }[];
    };
    expect(Object.keys(compose.services)).toContain(new URL(datasources[0]?.url ?? "").hostname);
    const { providers } = parse(read("deploy/grafana/provisioning/dashboards/clientela.yml")) as {
      providers: { options: { path: string } }[];
    };
    const shown = providers[0]?.options.path ?? "none";
    expect(compose.services["grafana"]?.volumes).toContain(`./deploy/grafana/dashboards:${shown}:ro`);
    expect(compose.services["grafana"]?.environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).toBe(
      `${shown}/clientela.json`,
    );
  });
});

describe("Dockerfile", () => {
  const stages = Array.from(dockerfile.matchAll(/^FROM \S+ AS (\w+)$/gm), ([, stage]) => stage);
  const copies = Array.from(
    dockerfile.matchAll(/^COPY (?:--from=(\w+) )?(.*)$/gm),
    ([, from, paths = ""]) => ({
      from,
      sources: paths.split(" ").slice(0, -1),
    }),
  );
  const kept = read(".dockerignore")
    .split("\n")
    .filter((line) => line.startsWith("!"))
    .map((line) => line.slice(1));

  it("copies what is there, and what .dockerignore lets through", () => {
    const sources = copies.filter(({ from }) => from === undefined).flatMap((copy) => copy.sources);
    expect(sources).toContain("src");
    for (const source of sources) {
      expect(existsSync(pathOf(source)), source).toBe(true);
      expect(kept, source).toContain(source);
    }
    expect(kept.filter((path) => !sources.includes(path))).toEqual([]);
  });

  it("copies from stages that it has", () => {
    const named = copies.flatMap(({ from }) => from ?? []);
    expect(named.length).toBeGreaterThan(0);
    for (const from of named) expect(stages).toContain(from);
  });

  it("does not run as root, and serves where its health check asks", () => {
    const final = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));
    expect(/^USER (?!root)/m.test(final)).toBe(true);
    expect(final).toContain(`|| ${SETTINGS.httpPort.fallback}}/livez`);
    expect(final).toContain(`EXPOSE ${SETTINGS.httpPort.fallback}\n`);
  });
});
