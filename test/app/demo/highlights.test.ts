import { beforeAll, describe, expect, it } from "vitest";
import { Highlights, type Candidate } from "../../../src/app/demo/highlights.ts";
import { lived, order } from "./stories/lived.ts";

let candidates: readonly Candidate[];

beforeAll(async () => {
  const orders = Array.from({ length: 12 }, (_, i) => order(20 * i));
  const { published } = await lived(orders, 700);
  candidates = published.map(({ change, noticedAt, lateFact }) => ({
    customerId: "C-1",
    change,
    noticedAt,
    lateFact,
  }));
});

describe("Highlights", () => {
  it("shows no more than is allowed for the weeks that passed, and counts the rest by cause", () => {
    const highlights = new Highlights(2);
    expect(candidates.length).toBeGreaterThan(5);
    const shown = highlights.choose(candidates, 1);
    expect(shown).toHaveLength(2);
    const { event, time, late } = highlights.takeHidden();
    expect(event + time + late).toBe(candidates.length - 2);
    expect(time).toBeGreaterThan(0);
    expect(highlights.takeHidden()).toEqual({ event: 0, time: 0, late: 0 });
  });

  it("keeps the order, and prefers weighty changes", () => {
    const shown = new Highlights(3).choose(candidates, 1);
    const places = shown.map((candidate) => candidates.indexOf(candidate));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(shown.some(({ change }) => change?.current.stage === "ACCOUNT")).toBe(true);
  });

  it("saves lines of quiet weeks, but not without limit", () => {
    const highlights = new Highlights(1);
    for (let week = 0; week < 50; week++) expect(highlights.choose([], 1)).toEqual([]);
    expect(highlights.choose(candidates, 1)).toHaveLength(4);
    expect(highlights.choose(candidates, 1)).toHaveLength(1);
  });

  it("grows tired of what it has shown often", () => {
    const [lapse] = candidates.filter(({ change }) => change?.current.status === "INACTIVE");
    const [second] = candidates.filter(({ change }) => change?.current.stage === "BUYER");
    if (lapse === undefined || second === undefined) throw new Error("both happen");
    const highlights = new Highlights(1);
    expect(highlights.choose([second, lapse], 1)).toEqual([lapse]);
    for (let week = 0; week < 40; week++) highlights.choose([lapse], 1);
    expect(highlights.choose([second, lapse], 1)).toEqual([second]);
  });
});
