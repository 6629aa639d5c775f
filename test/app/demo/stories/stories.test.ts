import { describe, expect, it } from "vitest";
import { chooseStories } from "../../../../src/app/demo/stories/choose-stories.ts";
import { climbStory } from "../../../../src/app/demo/stories/climb-story.ts";
import { lateStory } from "../../../../src/app/demo/stories/late-story.ts";
import { paymentStory } from "../../../../src/app/demo/stories/payment-story.ts";
import { lossStory, returnStory } from "../../../../src/app/demo/stories/reserve-stories.ts";
import { seasonStory } from "../../../../src/app/demo/stories/season-story.ts";
import { silenceStory } from "../../../../src/app/demo/stories/silence-story.ts";
import type { Story, StoryKind } from "../../../../src/app/demo/stories/story.ts";
import { storyText } from "../../../../src/app/demo/stories/story-text.ts";
import { createPalette } from "../../../../src/app/demo/palette.ts";
import { day, lived, order, paid, survey, type Lived } from "./lived.ts";

const options = { palette: createPalette(false), currency: "EUR", columns: 100 };

function tell(kind: StoryKind, { protagonist, published }: Lived): Story {
  expect(kind.fit(published)).toBeGreaterThan(0);
  const story = kind.tell(protagonist);
  if (story === null) throw new Error("the story is not told");
  return story;
}

const text = (story: Story): string => storyText(1, { kind: "story", story, insteadOf: null }, options);
const weekly = (from: number, to: number, everyDays: number, fields = {}) =>
  Array.from({ length: Math.floor((to - from) / everyDays) + 1 }, (_, i) =>
    order(from + i * everyDays, fields),
  );

describe("climb", () => {
  it("tells the way up and the rules of the rung with observed figures and thresholds (S6.1)", async () => {
    const story = tell(climbStory, await lived(weekly(0, 400, 11), 405));
    expect(story.title).toBe("Why is C-1 a PATRON?");
    expect(story.steps.map(({ current }) => current.stage)).toEqual(["TESTER", "BUYER", "ACCOUNT", "PATRON"]);
    const told = text(story);
    expect(told).toContain("✓ 33 shopping days in a year (at least 4)");
    expect(told).toContain("✓ an ACCOUNT or more for 218 days (at least 180)");
    expect(told).toContain("✓ revenue of a year €3,300.00 (at least €1,500.00)");
    expect(told).toContain("time alone: it has been an ACCOUNT long enough");
    expect(told).toContain("For SPONSOR it lacks: no survey answer in the window (at least 9).");
    expect(told).toMatch(/Next, if C-1 does nothing: ACTIVE PATRON → INACTIVE BUYER on 2024-0/);
  });

  it("is not told of somebody below ACCOUNT", async () => {
    const { published, protagonist } = await lived([order(0), order(10)], 20);
    expect(climbStory.fit(published)).toBe(0);
    expect(climbStory.tell(protagonist)).toBeNull();
  });
});

describe("silence", () => {
  it("tells of a deadline that was known since the last purchase (S4.1; S9 case 8)", async () => {
    const story = tell(silenceStory, await lived(weekly(0, 56, 14), 200));
    expect(story.title).toBe("Why did C-1 lapse with no event at all?");
    expect(story.steps.at(-1)).toMatchObject({
      current: { status: "INACTIVE" },
      why: "time alone: its time to buy again ran out",
    });
    const told = text(story);
    expect(told).toContain(
      "After 5 shopping days its own rhythm is known: about twice its usual gap, here 67 days",
    );
    expect(told).toContain("✗ no purchase by 2023-05-04");
    expect(story.today.next?.deadline).toBe("window-365d");
  });

  it("is not told of somebody who came back", async () => {
    const { published } = await lived([...weekly(0, 56, 14), order(190)], 200);
    expect(silenceStory.fit(published)).toBe(0);
  });
});

describe("payment", () => {
  const dealer = {
    topic: "customers",
    kind: "RECORDED",
    eventId: "r1",
    customerId: "C-1",
    occurredAt: day(0),
    source: "crm",
    attributes: { model: "B2B" },
  } as const;

  it("tells of the cap by an overdue invoice, and of its payment (S6.2; S9 case 10)", async () => {
    const wholesale = { amountMinor: 600_000, costMinor: 300_000, categories: ["a", "b", "c", "d"] };
    const orders = weekly(1, 461, 20, wholesale).map((placed, i) => ({ ...placed, dueAt: day(31 + 20 * i) }));
    const payments = orders.map((placed, i) => paid(i === 20 ? 501 : 25 + 20 * i, placed));
    const story = tell(paymentStory, await lived([dealer, ...orders, ...payments], 510));
    expect(story.title).toBe("What a late payment did to C-1");
    expect(story.steps.map(({ previous, current }) => [previous?.stage, current.stage])).toEqual([
      ["ACCOUNT", "PATRON"],
      ["PATRON", "BUYER"],
      ["BUYER", "ACCOUNT"],
    ]);
    const told = text(story);
    expect(told).toContain("✓ an invoice is long overdue, so BUYER at most");
    expect(told).toMatch(/The payment of 2024-05-16 lifted the cap at once: .* it now pays 4\.1\s+days late/);
    expect(told).toContain("To be a PATRON again takes an unbroken half year");
  });

  it("tells of a slow payer where nobody was overdue (S3.7)", async () => {
    const orders = weekly(1, 100, 30).map((placed, i) => ({ ...placed, dueAt: day(11 + 30 * i) }));
    const payments = orders.map((placed, i) => paid(32 + 30 * i, placed));
    const story = tell(paymentStory, await lived([dealer, ...orders, ...payments], 130));
    expect(story.title).toBe("What late payments did to C-1");
    expect(text(story)).toContain("✓ pays 21.0 days late on average (more than 15)");
  });

  it("is not told of somebody who pays in time", async () => {
    const placed = order(1, { dueAt: day(31) });
    expect(paymentStory.fit((await lived([dealer, placed, paid(20, placed)], 130)).published)).toBe(0);
  });
});

describe("season", () => {
  it("tells in June why a December customer is waited for (S4.5; S9 case 9)", async () => {
    const december = [338, 345, 703, 710].map((days) => order(days));
    const story = tell(seasonStory, await lived(december, 900));
    expect(story.title).toBe("Seasonal: why is C-1 still ACTIVE in June?");
    expect(text(story)).toContain("✓ may stay silent until 2026-01-31");
    expect(text(story)).toContain("On 2025-06-15 it had bought nothing for 186 days, since 2024-12-11.");
  });

  it("is not told of somebody who buys all year", async () => {
    expect(seasonStory.fit((await lived(weekly(0, 400, 20), 405)).published)).toBe(0);
  });
});

describe("late", () => {
  it("tells what was said too soon and how it was taken back (S7.2; S9 case 5)", async () => {
    const missing = order(118, { amountMinor: 4_200 });
    const story = tell(lateStory, await lived(weekly(0, 56, 14), 140, [{ event: missing, arrives: 130 }]));
    expect(story.steps.map(({ current }) => current.status)).toEqual(["INACTIVE", "ACTIVE"]);
    const told = text(story);
    expect(told).toContain("told 12 days late");
    expect(told).toContain("€42.00 of 2023-04-29");
    expect(told).toContain("the change of 2023-05-04 never happened");
  });

  it("tells of a cancellation heard of too late, where no deadline was wrong", async () => {
    const second = order(30);
    const { orderId } = second;
    const cancelled = {
      topic: "orders",
      kind: "CANCELLED",
      eventId: `c-${orderId}`,
      customerId: "C-1",
      occurredAt: day(31),
      orderId,
      revision: 0,
    } as const;
    const life = await lived([order(0), second, survey(35, 8)], 60, [{ event: cancelled, arrives: 40 }]);
    const story = tell(lateStory, life);
    expect(story.steps.map(({ current }) => current.stage)).toEqual(["BUYER", "TESTER"]);
    expect(story.rules).toBeNull();
    expect(text(story)).toContain(`${orderId} cancelled of 2023-02-01, told 9 days late`);
    expect(text(story)).not.toContain("never happened");
  });

  it("is not told of a late fact that corrected nothing", async () => {
    const missing = order(20);
    const { published } = await lived(weekly(0, 56, 14), 60, [{ event: missing, arrives: 58 }]);
    expect(lateStory.fit(published)).toBe(0);
  });
});

describe("the reserves", () => {
  it("tells of a return, and of a loss", async () => {
    const back = tell(returnStory, await lived([...weekly(0, 56, 14), order(190)], 200));
    expect(text(back)).toContain("It was INACTIVE for 66 days.");
    const loss = tell(lossStory, await lived([order(0, { costMinor: 12_000 })], 300));
    expect(loss.title).toBe("Why is C-1 marked DIVEST?");
    expect(text(loss)).toContain("In a year it brought €100.00 and cost €120.00.");
  });
});

describe("chooseStories", () => {
  const choose = async (life: Lived) =>
    chooseStories({ published: new Map([["C-1", [...life.published]]]) }, () =>
      Promise.resolve(life.protagonist),
    );

  it("says so where nobody lived a story, or tells another one instead", async () => {
    const told = await choose(await lived([...weekly(0, 42, 14), order(190)], 200));
    expect(told).toHaveLength(5);
    expect(told[0]).toMatchObject({ kind: "story", insteadOf: climbStory.absence });
    expect(told.slice(1).map(({ kind }) => kind)).toEqual(["absence", "absence", "absence", "absence"]);
    expect(told[1]).toEqual({ kind: "absence", text: silenceStory.absence });
  });

  it("asks the next best customer where the best one's own timeline does not bear the story out", async () => {
    const good = await lived(weekly(0, 56, 14), 200);
    const told = await chooseStories(
      {
        published: new Map([
          ["C-0", [...good.published]],
          ["C-1", [...good.published]],
        ]),
      },
      (customerId) => Promise.resolve(customerId === "C-0" ? null : good.protagonist),
    );
    expect(told[1]).toMatchObject({ kind: "story", insteadOf: null, story: { customerId: "C-1" } });
  });

  it("says so when there is nobody at all", async () => {
    const told = await chooseStories({ published: new Map() }, () => Promise.resolve(null));
    expect(told.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => "absence"));
  });

  it("knows a survey that speaks for or against", async () => {
    const story = tell(climbStory, await lived([...weekly(0, 400, 10), survey(401, 9)], 405));
    expect(story.title).toBe("Why is C-1 a SPONSOR?");
    expect(text(story)).toContain("✓ survey answer 9 (at least 8)");
  });
});
