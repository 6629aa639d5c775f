import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allResults, byRelease, keepResult, newestResults } from "./kept-results.ts";

const conditions = {
  cores: 2,
  cpu: "x",
  memoryGiB: 24,
  platform: "linux",
  node: "24.21.0",
  loadBefore: 0,
  loadAfter: 0,
};
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

describe("Kept results", () => {
  let dir = "";
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "clientela-results-"))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it("are one file a release and scenario, with date and commit, written anew by the next", async () => {
    await keepResult({ scenario: "memory", bytesAt6Events: 1, conditions }, dir);
    const file = await keepResult({ scenario: "memory", bytesAt6Events: 502, conditions }, dir);
    expect(file).toBe(join(dir, version, "memory.json"));
    expect(allResults(dir)).toEqual([
      {
        scenario: "memory",
        release: version,
        date: new Date().toISOString().slice(0, 10),
        commit: expect.toSatisfy(
          (commit) => commit === null || /^[0-9a-f]{12}\+?$/.test(String(commit)),
        ) as unknown,
        bytesAt6Events: 502,
        conditions,
      },
    ]);
    expect(readFileSync(file, "utf8")).toMatch(/^\{\n {2}"scenario": "memory",\n[^]*\}\n$/);
  });

  it("tell the peer's name, and not where it lay", async () => {
    await keepResult(
      { scenario: "memory", against: "/somewhere/peer-a", bytesAt6Events: 1, conditions },
      dir,
    );
    expect(allResults(dir)[0]).toMatchObject({ against: "peer-a" });
  });

  it("are not written when a figure is not declared", async () => {
    await expect(keepResult({ scenario: "memory", bytesAt7Events: 1, conditions }, dir)).rejects.toThrow();
    expect(allResults(dir)).toEqual([]);
  });

  it("are, of each scenario, the newest release's that has it", () => {
    for (const [release, scenario] of [
      ["0.10.0", "live"],
      ["0.9.0", "live"],
      ["0.9.0", "memory"],
    ] as const) {
      mkdirSync(join(dir, release), { recursive: true });
      writeFileSync(join(dir, release, `${scenario}.json`), JSON.stringify({ scenario, release }));
    }
    const newest = newestResults(dir);
    expect([newest.get("live")?.release, newest.get("memory")?.release]).toEqual(["0.10.0", "0.9.0"]);
  });

  it("are in the order of the releases", () => {
    const ordered = ["0.2.0", "0.10.0", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.0.1"];
    expect(ordered.toReversed().sort(byRelease)).toEqual(ordered);
  });
});
