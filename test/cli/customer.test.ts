import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { nothingKnown } from "../../src/cli/customer.ts";
import { instant } from "../../src/shared/instant.ts";
import { newCustomer } from "../../src/domain/customer.ts";
import { jsonLines } from "../child.ts";
import { runHere } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "clientela-customer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const order = (n: number, customerId: string, day: string): object => ({
  topic: "orders",
  eventId: `e${n}`,
  customerId,
  occurredAt: `${day}T09:30:00Z`,
  orderId: `o${n}`,
  kind: "PLACED",
  amountMinor: 4990,
  currency: "EUR",
});
const events = join(folder, "events.jsonl");
writeFileSync(
  events,
  [order(1, "zoe", "2025-01-01"), order(2, "adam", "2025-09-01")]
    .map((line) => JSON.stringify(line))
    .join("\n"),
);

describe("explain --events (I1)", () => {
  test("shows every rule with what was observed, the next transition, and what is missing for the next rung", async () => {
    const { code, stdout } = await runHere([
      "explain",
      "zoe",
      "--events",
      events,
      "--at",
      "2025-03-01T00:00:00Z",
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain("zoe at 2025-03-01T00:00:00.000Z\n  ACTIVE · TESTER · value C · MAINTAIN");
    expect(stdout).toContain("since 2025-01-01T09:30:00.000Z: orders e1");
    expect(stdout).toContain("lapses at 2025-06-30T09:30:00.000Z");
    expect(stdout).toContain("Next, if nothing happens: 2025-06-30T09:30:00.000Z INACTIVE · TESTER");
    expect(stdout).toContain("Missing for BUYER\n    ✗");
    expect(stdout).toContain("What helps now: reassure, listen");
  });

  test("--json has the same, instants as result files have them", async () => {
    const args = ["explain", "zoe", "--events", events, "--at", "2025-03-01T00:00:00Z", "--json"];
    const [explanation] = jsonLines((await runHere(args)).stdout);
    expect(explanation).toMatchObject({
      customerId: "zoe",
      at: "2025-03-01T00:00:00.000Z",
      since: "2025-01-01T09:30:00.000Z",
      classification: { status: "ACTIVE", stage: "TESTER" },
      facts: { lapseAt: "2025-06-30T09:30:00.000Z" },
      next: { at: "2025-06-30T09:30:00.000Z", becomes: { status: "INACTIVE" } },
      missing: { stage: "BUYER" },
    });
  });

  test("without --at it stands at the newest event of the files, whoever's it is", async () => {
    const [explanation] = jsonLines((await runHere(["explain", "zoe", "--events", events, "--json"])).stdout);
    expect(explanation).toMatchObject({
      at: "2025-09-01T09:30:00.000Z",
      classification: { status: "INACTIVE" },
      since: "2025-06-30T09:30:00.000Z",
    });
  });
});

describe("timeline --events (I1)", () => {
  test("shows every transition with its cause, as a table and as I3's lines", async () => {
    const { stdout } = await runHere(["timeline", "zoe", "--events", events]);
    expect(stdout).toMatch(/2025-01-01T09:30:00\.000Z .*ACTIVE .*TESTER .*EVENT orders e1/);
    expect(stdout).toMatch(/2025-06-30T09:30:00\.000Z .*INACTIVE .*TESTER .*DEADLINE/);
    const lines = jsonLines((await runHere(["timeline", "zoe", "--events", events, "--json"])).stdout);
    expect(lines.map(({ at }) => at)).toEqual(["2025-01-01T09:30:00.000Z", "2025-06-30T09:30:00.000Z"]);
    const replayed = await runHere(["replay", events, "--timeline", "-"]);
    expect(lines).toEqual(jsonLines(replayed.stdout).filter(({ customerId }) => customerId === "zoe"));
  });

  test("--until ends it there", async () => {
    const args = ["timeline", "zoe", "--events", events, "--json", "--until", "2025-06-30T09:29:59Z"];
    expect(jsonLines((await runHere(args)).stdout)).toHaveLength(1);
  });
});

describe("who is not known is told so, exit code 1", () => {
  test.each([
    [["explain", "nobody"], /nothing names nobody/],
    [["timeline", "nobody"], /nothing names nobody/],
    [
      ["explain", "zoe", "--at", "2024-12-31T00:00:00Z"],
      /nothing was known of customer zoe at 2024-12-31T00:00:00\.000Z/,
    ],
    [["timeline", "zoe", "--until", "2024-12-31T00:00:00Z"], /nothing was known of customer zoe/],
  ])("%j", async (args, says) => {
    const { code, stdout, stderr } = await runHere([...args, "--events", events]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^clientela: [^\n]+\n$/);
  });

  test("a time whose details are settled and dropped is told apart from one nobody knew of (S2.4)", () => {
    const customer = newCustomer("zoe");
    const settledAt = instant(Date.parse("2025-01-01T00:00:00Z"));
    customer.state.base = { at: settledAt, standing: null, occasionsDropped: 3, firstOccasionAt: null };
    const before = nothingKnown(customer, instant(settledAt - 1));
    expect(before.code).toBe("SETTLED");
    expect(before.message).toMatch(/before 2025-01-01T00:00:00\.000Z is settled.*--events/);
    expect(nothingKnown(customer, settledAt).code).toBe("CUSTOMER_UNKNOWN");
  });

  test("an erased customer is told so (S2.5)", () => {
    const customer = newCustomer("zoe");
    customer.state.erasedAt = instant(Date.parse("2025-05-01T00:00:00Z"));
    expect(nothingKnown(customer, instant(Date.parse("2025-06-01T00:00:00Z"))).message).toBe(
      "customer zoe was erased at 2025-05-01T00:00:00.000Z",
    );
  });
});
