import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

/** Codes that `run` can refuse with; those of files and folders of the embedded composition never reach an operator. */
function refusalCodes(): string[] {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.startsWith(join("adapters", "embedded")),
  );
  const codes = files.flatMap((file) =>
    Array.from(
      readFileSync(join("src", file), "utf8").matchAll(/new RefusedError\(\s*"([A-Z_]+)"/g),
      ([, code]) => code ?? "",
    ),
  );
  return [...new Set(codes)].sort();
}

it("every code that exit code 3 comes with is in the operations guide's table, with what to do (I1)", () => {
  const guide = readFileSync("docs/operations.md", "utf8");
  const table = guide.slice(guide.indexOf("Codes that come with 3:"), guide.indexOf("## Alerts"));
  const codes = refusalCodes();
  expect(codes).toContain("STATE_LOST");
  expect(codes.length).toBeGreaterThan(20);
  expect(codes.filter((code) => !table.includes(`\`${code}\``))).toEqual([]);
  expect(
    Array.from(table.matchAll(/`([A-Z_]+)`/g), ([, code]) => code ?? "").filter(
      (code) => !code.startsWith("CLIENTELA_") && !codes.includes(code),
    ),
  ).toEqual([]);
});
