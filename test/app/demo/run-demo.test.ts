import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { acceptEvent, isFactTopic } from "../../../src/domain/accept.ts";
import { UsageError } from "../../../src/pipeline/errors.ts";
import type { DemoDependencies } from "../../../src/app/demo/dependencies.ts";
import { DEMO_DEFAULTS, runDemo, type DemoOptions } from "../../../src/app/demo/run-demo.ts";
import { foldEngine } from "./fold-engine.ts";
import { recordingScreen } from "./screen-recorder.ts";

const SHORT = { seed: 1, customers: 40, days: 200, fast: true } as const;

async function show(
  options: Partial<DemoOptions> = {},
  deps: DemoDependencies = foldEngine(),
): Promise<{ text: string; summary: Awaited<ReturnType<typeof runDemo>> }> {
  const out = recordingScreen();
  const { signal } = new AbortController();
  const summary = await runDemo({ ...DEMO_DEFAULTS, fast: true, signal, out, ...options }, deps);
  return { text: out.text(), summary };
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("runDemo", () => {
  it("writes the same bytes for the same seed, without the wall clock, and others for another seed", async () => {
    const first = await show();
    vi.useFakeTimers({ now: Date.UTC(2031, 0, 1) });
    const second = await show();
    expect(second.text).toBe(first.text);
    vi.useRealTimers();
    expect((await show({ seed: 2 })).text).not.toBe(first.text);
  });

  it("tells all five stories of the default shop, each of another customer, and what to try next", async () => {
    const { text, summary } = await show();
    expect(summary.stories.map((told) => told.kind)).toEqual(["story", "story", "story", "story", "story"]);
    const stories = summary.stories.flatMap((told) => (told.kind === "story" ? [told] : []));
    expect(stories.every(({ insteadOf }) => insteadOf === null)).toBe(true);
    expect(new Set(stories.map(({ story }) => story.customerId)).size).toBe(5);
    expect(text).toMatch(/1\. Why is C-\d+ a PATRON\?/);
    expect(text).toMatch(/2\. Why did C-\d+ lapse with no event at all\?/);
    expect(text).toMatch(/3\. What a late payment did to C-\d+/);
    expect(text).toMatch(/4\. Seasonal: why is C-\d+ still ACTIVE in June\?/);
    expect(text).toMatch(/5\. What a late fact corrected for C-\d+/);
    expect(text.match(/^ {2}npx clientela .+$/gm)).toHaveLength(3);
    expect(text).not.toMatch(/undefined|NaN|\[object|Invalid/);
  });

  it("accounts for every change: the lines shown and the ones counted are all that were published", async () => {
    const { text, summary } = await show();
    const lines = text.match(/^\d{4}-\d{2}-\d{2} {2}(event|time |late ) .*$/gm) ?? [];
    const hidden = [...text.matchAll(/\+(\d+) more change/g)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
    const { event, time, late } = summary.changes;
    const erased = Number(/(\d+) customers? asked to be erased/.exec(text)?.[1] ?? 0);
    expect(lines.length + hidden).toBe(event + time + late + erased);
    expect(Math.min(event, time, late)).toBeGreaterThan(10);
  });

  it("shows deadlines, events and late facts alike, with reasons in words", async () => {
    const { text } = await show();
    expect(text).toMatch(/ event {2}C-\d+ {2}BUYER → ACCOUNT .*shopping days|categories|purchase/);
    expect(text).toMatch(/ time {3}C-\d+ {2}ACTIVE.* → INACTIVE.* no purchase by \d{4}-\d{2}-\d{2}/);
    expect(text).toMatch(/ late {3}C-\d+ {2}INACTIVE.* → ACTIVE.* told \d+ days late/);
    expect(text).toMatch(/event {2}C-\d+ {2}everything forgotten/);
  });

  it("counts facts, late ones and second deliveries as they were sent", async () => {
    const engine = foldEngine();
    const appended: string[] = [];
    const { summary } = await show(SHORT, {
      start: async (options) => {
        const inner = await engine.start(options);
        return {
          ...inner,
          append: (records) => {
            for (const record of records) if (record.topic !== "referrals") appended.push(record.eventId);
            return inner.append(records);
          },
        };
      },
    });
    const { facts, again } = summary.counts;
    expect(new Set(appended).size).toBe(facts);
    expect(appended.length).toBe(facts + again);
  });

  it("sends facts as they happen, none of them early (S2.3 future_event), but for the late ones and the second deliveries", async () => {
    const engine = foldEngine();
    const seen = new Set<string>();
    let prompt = 0;
    const { summary } = await show(SHORT, {
      start: async (options) => {
        const inner = await engine.start(options);
        return {
          ...inner,
          append: (records) => {
            for (const record of records) {
              if (record.topic === "referrals") continue;
              const delayMs = options.clock.now() - record.occurredAt;
              expect(delayMs).toBeGreaterThanOrEqual(-1);
              if (delayMs <= 0 && !seen.has(record.eventId)) prompt++;
              seen.add(record.eventId);
            }
            return inner.append(records);
          },
        };
      },
    });
    expect(summary.counts.late).toBeGreaterThan(0);
    expect(prompt).toBe(summary.counts.facts - summary.counts.late);
  });

  it("saves what was delivered as lines of an event file", async () => {
    const lines: string[] = [];
    const { summary } = await show({ ...SHORT, saveEvent: (line) => lines.push(line) });
    expect(lines).toHaveLength(summary.counts.facts + summary.counts.again);
    for (const line of lines) {
      const raw = JSON.parse(line) as { topic: unknown };
      if (!isFactTopic(raw.topic)) throw new Error("not a topic");
      expect(acceptEvent(raw.topic, raw).kind).toBe("event");
    }
  });

  it("stops at once when the signal fires, sums up, and stops the engine", async () => {
    const controller = new AbortController();
    const engine = foldEngine();
    const out = recordingScreen();
    let lines = 0;
    const stopping = {
      ...out,
      write: (text: string) => (++lines === 12 ? controller.abort() : out.write(text)),
    };
    const summary = await runDemo(
      { ...DEMO_DEFAULTS, fast: true, signal: controller.signal, out: stopping },
      engine,
    );
    expect(summary.isInterrupted).toBe(true);
    expect(summary.stories).toEqual([]);
    expect(out.text()).toMatch(/Stopped on 2023-\d{2}-\d{2}\. Where everybody stands/);
    expect(out.text()).not.toContain("Five stories");
    expect(engine.calls.stops).toBe(1);
  });

  it("stops the engine when it fails, and passes the failure on", async () => {
    const engine = foldEngine();
    const failing: DemoDependencies = {
      start: async (options) => ({
        ...(await engine.start(options)),
        settle: () => Promise.reject(new Error("store is gone")),
      }),
    };
    await expect(show(SHORT, failing)).rejects.toThrow("store is gone");
    expect(engine.calls.stops).toBe(1);
  });

  it("refuses options out of range, all at once, before anything starts", async () => {
    const refused = show({ customers: 0, days: 4000, seed: 0.5 });
    await expect(refused).rejects.toBeInstanceOf(UsageError);
    await expect(refused).rejects.toThrow(/seed[^]*customers[^]*days/);
  });

  it("paces the default show so that a person can read it: 40 to 60 seconds, at most six lines a second", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const writtenAt: number[] = [];
    const out = recordingScreen();
    const timed = {
      ...out,
      write: (text: string) => {
        if (/^\d{4}-|^ {12}/.test(text)) writtenAt.push(performance.now());
        out.write(text);
      },
    };
    const { signal } = new AbortController();
    const startedAt = performance.now();
    const running = runDemo({ ...DEMO_DEFAULTS, fast: false, signal, out: timed }, foldEngine());
    await vi.runAllTimersAsync();
    await running;
    const seconds = (performance.now() - startedAt) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(40);
    expect(seconds).toBeLessThanOrEqual(60);
    const perSecond = new Map<number, number>();
    for (const at of writtenAt) {
      const second = Math.floor(at / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    expect(writtenAt.length / seconds).toBeLessThanOrEqual(5);
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(9);
  });

  it("writes what docs/demo.md shows of it; where this fails, renew the excerpts", async () => {
    const out = recordingScreen({ isTTY: true, columns: 140 });
    await runDemo({ ...DEMO_DEFAULTS, fast: true, signal: new AbortController().signal, out }, foldEngine());
    const written = new Set(out.text().split("\n"));
    const page = readFileSync(new URL("../../../docs/demo.md", import.meta.url), "utf8");
    const excerpts = [...page.matchAll(/^```\n([^]*?)^```$/gm)]
      .slice(1)
      .map(([, lines = ""]) => lines.trimEnd());
    expect(excerpts).toHaveLength(3);
    const shown = excerpts.flatMap((lines) => lines.split("\n")).filter((line) => line !== "…");
    expect(shown.filter((line) => !written.has(line))).toEqual([]);
  });

  it("cuts lines to a terminal's width, colours them there, and does neither elsewhere", async () => {
    const out = recordingScreen({ isTTY: true, columns: 90, color: true });
    const { signal } = new AbortController();
    await runDemo({ ...DEMO_DEFAULTS, ...SHORT, signal, out }, foldEngine());
    expect(out.text()).toContain("\u001b[");
    const lines = out
      .text()
      .split("\n")
      .filter((line) => /^\d{4}-/.test(line));
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(90);
    const plain = await show(SHORT);
    expect(plain.text).not.toContain("\u001b[");
    expect(plain.text).not.toContain("…");
  });
});
