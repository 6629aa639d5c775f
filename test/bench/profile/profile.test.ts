import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { aggregate, type ProfileNode } from "./aggregate.ts";
import { fileOf, placeOf, threadOf } from "./areas.ts";
import { profileFigures } from "./profile-figures.ts";
import { allocationTree, cpuTree, type AllocationNode, type CpuProfile } from "./v8-profiles.ts";

const ROOT = "/project";

function node(functionName: string, file: string, self: number, ...children: ProfileNode[]): ProfileNode {
  const url = file === "" || file.startsWith("node:") ? file : `file://${ROOT}/${file}`;
  return { callFrame: { functionName, url, lineNumber: 9 }, self, children };
}

const TREE = node(
  "(root)",
  "",
  0,
  node("(idle)", "", 1000),
  node("(garbage collector)", "", 30),
  node(
    "processTicks",
    "node:internal/process/task_queues",
    10,
    node(
      "fold",
      "src/pipeline/batch.ts",
      5,
      node(
        "foldFact",
        "src/domain/fold.ts",
        20,
        node("push", "", 7),
        node("nameUuid", "src/shared/name-uuid.ts", 3),
      ),
      node("_copyActual", "node:buffer", 4),
      node("send", "node_modules/kafkajs/src/network/socket.js", 6, node("writev", "", 15)),
    ),
  ),
);

describe("A profile by part of the program", () => {
  it("gives each what it took itself, without what is no work", () => {
    const { total, areas } = aggregate([TREE], ROOT);
    expect(total).toBe(100);
    expect(Object.fromEntries(areas)).toEqual({
      "garbage collector": 30,
      "node internals": 10,
      pipeline: 9,
      "domain fold": 30,
      "Kafka adapter and kafkajs": 21,
    });
  });

  it("tells each function by its place, and built-in ones by whom they work for", () => {
    const { functions } = aggregate([TREE], ROOT);
    expect(functions.get("foldFact src/domain/fold.ts:10")).toBe(20);
    expect(functions.get("push in foldFact src/domain/fold.ts:10")).toBe(7);
    expect(functions.get("writev in send kafkajs/src/network/socket.js:10")).toBe(15);
    expect(functions.has("(idle)")).toBe(false);
  });

  it("adds up threads, and a function that is called from several places", () => {
    const { total, functions } = aggregate([TREE, TREE], ROOT);
    expect([total, functions.get("foldFact src/domain/fold.ts:10")]).toEqual([200, 40]);
  });

  it("is refused when more than 3 % of it belongs nowhere, and says what", () => {
    const strange = (self: number): ProfileNode => node("(root)", "", 0, TREE, node("f", "lib/new.ts", self));
    expect(aggregate([strange(3)], ROOT).areas.get("unmapped")).toBe(3);
    expect(() => aggregate([strange(4)], ROOT)).toThrow(
      "4 % of the profile belong to no area: f lib/new.ts:10",
    );
  });

  it("knows its files wherever the project and its packages lie", () => {
    expect(fileOf("file:///project/src/main.ts", ROOT)).toBe("src/main.ts");
    expect(fileOf("file:///else/node_modules/a/node_modules/kafkajs/x.js", ROOT)).toBe("kafkajs/x.js");
    expect(fileOf("/project-2/src/main.ts", ROOT)).toBe("/project-2/src/main.ts");
    expect(placeOf("x", "/project-2/src/main.ts")).toBe("unmapped");
  });

  it("has a part for every file of src", () => {
    const root = join(import.meta.dirname, "../../..");
    const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
    const sources = files.filter((file) => file.endsWith(".ts")).map((file) => join("src", file));
    expect(sources.length).toBeGreaterThan(100);
    expect(sources.filter((file) => placeOf("f", file) === "unmapped")).toEqual([]);
  });
});

describe("A CPU profile", () => {
  const frame = (functionName: string): CpuProfile["nodes"][number]["callFrame"] => ({
    functionName,
    url: "",
    lineNumber: -1,
  });
  const PROFILE: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame("(root)"), children: [2, 3] },
      { id: 2, callFrame: frame("a") },
      { id: 3, callFrame: frame("b") },
    ],
    startTime: 1000,
    samples: [2, 3, 2, 3],
    // At 1100, 1200, 1500 and 1600.
    timeDeltas: [100, 100, 300, 100],
  };
  const selves = (from: number, to: number): number[] =>
    cpuTree(PROFILE, { from, to }).children.map(({ self }) => self);

  it("counts a sample until the next one", () => expect(selves(0, 9999)).toEqual([200, 300]));

  it("counts only what lies in the window", () => {
    expect(selves(1150, 1300)).toEqual([50, 100]);
    expect(selves(1250, 1550)).toEqual([50, 250]);
    expect(selves(1600, 9999)).toEqual([0, 0]);
  });
});

describe("The figures of a profile", () => {
  const seconds = new Map([
    ["script", 0.005],
    ["profiler", 0.001],
    [threadOf("V8Worker"), 0.002],
  ] as const);
  const figures = profileFigures(
    { events: 100, seconds, samples: aggregate([TREE], ROOT) },
    aggregate([TREE], ROOT),
    10,
  );

  it("share out the CPU that the threads used, without the profiler's own", () => {
    expect(figures).toMatchObject({
      cpuMicrosPerEvent: 70,
      profilerMicrosPerEvent: 10,
      areas: {
        "domain fold": { cpuMicros: 15, allocatedBytes: 3 },
        "garbage collector": { cpuMicros: 15 },
        "garbage collector and compiler, threads of their own": { cpuMicros: 20 },
        unmapped: { cpuMicros: 0, allocatedBytes: 0 },
      },
      topFunctions: { "(garbage collector)": 15, "foldFact src/domain/fold.ts:10": 10 },
    });
  });

  it("are refused when no thread has run scripts", () => {
    const samples = aggregate([TREE], ROOT);
    const none = { events: 1, seconds: new Map([["profiler", 1]] as const), samples };
    expect(() => profileFigures(none, samples, 1)).toThrow("none of the process's threads is known");
  });
});

describe("Sampling of allocations", () => {
  it("counts in each thread what was collected since, too", () => {
    const dir = mkdtempSync(join(tmpdir(), "clientela-allocations-"));
    try {
      const script = join(dir, "script.mjs");
      writeFileSync(
        script,
        `import { isMainThread, Worker } from "node:worker_threads";
         if (isMainThread) new Worker(new URL(import.meta.url));
         let kept;
         function allocating() { for (let i = 0; i < 400; i++) kept = new Array(10_000).fill(i); }
         allocating();
         globalThis.gc();`,
      );
      const sampler = pathToFileURL(join(import.meta.dirname, "sample-allocations.ts")).href;
      execFileSync(process.execPath, ["--expose-gc", "--import", sampler, script], {
        env: { ...process.env, BENCH_ALLOCATIONS_DIR: dir },
      });
      const files = readdirSync(dir).filter((name) => name.endsWith(".heapprofile"));
      expect(files).toHaveLength(2);
      for (const file of files) {
        const { head } = JSON.parse(readFileSync(join(dir, file), "utf8")) as { head: AllocationNode };
        const all = [...bytesByFunction(allocationTree(head))];
        const bytes = all.reduce((sum, [name, each]) => (name === "allocating" ? sum + each : sum), 0);
        // 400 arrays of 10 000 elements of 4 or 8 bytes.
        expect(bytes).toBeGreaterThan(10e6);
        expect(bytes).toBeLessThan(50e6);
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

function* bytesByFunction({ callFrame, self, children }: ProfileNode): Generator<[string, number]> {
  yield [callFrame.functionName, self];
  for (const child of children) yield* bytesByFunction(child);
}
