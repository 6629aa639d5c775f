import { createVirtualClock, type VirtualClock } from "../../adapters/embedded/clock.ts";
import type { EventRef } from "../../domain/change.ts";
import type { Policy } from "../../domain/policy.ts";
import { UsageError } from "../../pipeline/errors.ts";
import { DAY_MS, instant, type Instant } from "../../shared/instant.ts";
import { castOf } from "../simulation/cast.ts";
import { deliveriesOf, type Delivery } from "../simulation/deliveries.ts";
import { eventLine } from "../simulation/event-line.ts";
import { simulate, type SimulatedEvent } from "../simulation/simulate.ts";
import { changeLine, erasureLine, type CauseWord } from "./change-line.ts";
import { Chronicle } from "./chronicle.ts";
import { demoPolicy } from "./demo-policy.ts";
import type { DemoDependencies, DemoEngine } from "./dependencies.ts";
import { Highlights, type Candidate } from "./highlights.ts";
import { dateText } from "./human-text.ts";
import { ladderText } from "./ladder.ts";
import { createPacer, NO_PACE, type Pacer } from "./pacer.ts";
import { createPalette, type Palette } from "./palette.ts";
import { RecentFacts } from "./recent-facts.ts";
import { headerText, monthLine, totalsText, tryNextText, type DemoCounts, type Screen } from "./screen.ts";
import { chooseStories, type StoryOrAbsence } from "./stories/choose-stories.ts";
import { protagonistOf } from "./stories/story.ts";
import { storyText } from "./stories/story-text.ts";

export interface DemoOptions {
  /** An integer; equal options give equal output, byte for byte. */
  readonly seed: number;
  /** 1 … 20 000. */
  readonly customers: number;
  /** 1 … 3650. */
  readonly days: number;
  /** Without pacing. */
  readonly fast: boolean;
  /** Ends the run early: what was seen so far is summed up. */
  readonly signal: AbortSignal;
  readonly out: Screen;
  /** Takes every delivered event as a line of an event file (I2), in order of delivery. */
  readonly saveEvent?: (line: string) => void;
}

/** What the demo shows when nobody asks for anything else. */
export const DEMO_DEFAULTS = { seed: 1, customers: 120, days: 1096 } as const;

/** The first day of the simulated time: with the default length, the run ends on 30 June 2026. */
export const DEMO_START_AT: Instant = instant(Date.UTC(2023, 6, 1));

export interface DemoSummary {
  readonly counts: Readonly<DemoCounts>;
  readonly changes: Readonly<Record<CauseWord, number>>;
  readonly stories: readonly StoryOrAbsence[];
  readonly isInterrupted: boolean;
}

/** A long show lasts this long; a short one goes by at the same pace. */
const SHOW_MS = 52_000;
const PACE_MS_PER_DAY = 120;
/** With the month's own line this makes four to five lines a second. */
const LINES_PER_WEEK = 1.2;
const WEEK_MS = 7 * DAY_MS;

/**
 * The whole product in one process: facts flow, deadlines fire, changes scroll by, and five stories tell what happened.
 * Throws UsageError for options out of range; whatever the engine throws ends the run.
 */
export async function runDemo(options: DemoOptions, deps: DemoDependencies): Promise<DemoSummary> {
  checkOptions(options);
  const palette = createPalette(options.out.color);
  const policy = demoPolicy();
  const clock = createVirtualClock(DEMO_START_AT);
  const chronicle = new Chronicle();
  const engine = await deps.start({ policy, clock, onCommitted: (output) => chronicle.record(output) });
  try {
    options.out.write(headerText(options, palette));
    const show = new Show(options, engine, clock, chronicle, policy, palette);
    const counts = await show.play();
    const stories = options.signal.aborted ? [] : await show.tellStories();
    return {
      counts,
      changes: chronicle.byCause,
      stories,
      isInterrupted: options.signal.aborted,
    };
  } finally {
    await engine.stop();
  }
}

function checkOptions({ seed, customers, days }: DemoOptions): void {
  const problems: string[] = [];
  const within = (value: number, least: number, most: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;
  if (!within(seed, 0, 0xffff_ffff)) problems.push("seed: a whole number from 0 to 4294967295");
  if (!within(customers, 1, 20_000)) problems.push("customers: a whole number from 1 to 20000");
  if (!within(days, 1, 3650)) problems.push("days: a whole number from 1 to 3650");
  if (problems.length > 0) throw new UsageError("demo_options", problems);
}

class Show {
  readonly #options: DemoOptions;
  readonly #engine: DemoEngine;
  readonly #clock: VirtualClock;
  readonly #chronicle: Chronicle;
  readonly #policy: Policy;
  readonly #palette: Palette;
  readonly #highlights = new Highlights(LINES_PER_WEEK);
  readonly #facts: RecentFacts;
  readonly #counts: DemoCounts = { facts: 0, late: 0, again: 0 };
  readonly #endAt: number;

  constructor(
    options: DemoOptions,
    engine: DemoEngine,
    clock: VirtualClock,
    chronicle: Chronicle,
    policy: Policy,
    palette: Palette,
  ) {
    this.#options = options;
    this.#engine = engine;
    this.#clock = clock;
    this.#chronicle = chronicle;
    this.#policy = policy;
    this.#palette = palette;
    this.#facts = new RecentFacts(policy.baseCurrency);
    this.#endAt = DEMO_START_AT + options.days * DAY_MS;
  }

  /** Plays the time and sums it up; ends early when the signal fires. */
  async play(): Promise<DemoCounts> {
    const { out, fast, days, signal } = this.#options;
    const pacer = fast ? NO_PACE : createPacer(Math.min(SHOW_MS, days * PACE_MS_PER_DAY), signal);
    const deliveries = this.#deliveries();
    let next = deliveries.next();
    for (const { fromAt, toAt, isEndOfMonth } of this.#steps()) {
      const candidates: Candidate[] = [];
      while (next.done !== true && next.value.at < toAt) {
        candidates.push(...(await this.#deliver(next.value)));
        next = deliveries.next();
      }
      this.#clock.advanceTo(instant(toAt - 1));
      candidates.push(...(await this.#settle(null)));
      await this.#showStep(candidates, fromAt, toAt, pacer);
      if (signal.aborted) break;
      if (isEndOfMonth) {
        const standings = this.#chronicle.standings.values();
        out.write(monthLine(fromAt, this.#highlights.takeHidden(), standings, this.#palette));
      }
    }
    this.#sumUp();
    return this.#counts;
  }

  async tellStories(): Promise<StoryOrAbsence[]> {
    const { out, seed } = this.#options;
    const palette = this.#palette;
    const stories = await chooseStories(this.#chronicle, async (customerId, changes) => {
      const customer = await this.#engine.customer(customerId);
      return customer === null ? null : protagonistOf(customer, changes, this.#policy, this.#clock.now());
    });
    out.write(`\n${palette.heading("Five stories")}, each from the customer's own timeline\n\n`);
    const format = { palette, currency: this.#policy.baseCurrency, columns: this.#columns };
    stories.forEach((story, i) => out.write(`${storyText(i + 1, story, format)}\n`));
    const first = stories.find((told) => told.kind === "story");
    out.write(tryNextText(seed, first?.story.customerId ?? null, palette));
    return stories;
  }

  get #columns(): number {
    const { isTTY, columns } = this.#options.out;
    return isTTY ? columns : Infinity;
  }

  #deliveries(): Generator<Delivery> {
    const { seed, customers, days } = this.#options;
    const simulation = { seed, customers, days, startAt: DEMO_START_AT };
    return deliveriesOf(simulate(simulation), castOf(simulation), seed);
  }

  /** Weeks, cut where a month ends. */
  *#steps(): Generator<{ readonly fromAt: number; readonly toAt: number; readonly isEndOfMonth: boolean }> {
    let fromAt: number = DEMO_START_AT;
    while (fromAt < this.#endAt) {
      const date = new Date(fromAt);
      const monthEndsAt = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
      const toAt = Math.min(fromAt + WEEK_MS, monthEndsAt, this.#endAt);
      yield { fromAt, toAt, isEndOfMonth: toAt === monthEndsAt || toAt === this.#endAt };
      fromAt = toAt;
    }
  }

  /**
   * Sends one event. The clock stops a millisecond before it, so that a deadline of the very instant is decided with the event.
   * What others depend on (a late fact, an order that names its referrer) is settled on both sides: the show must not depend on
   * how the engine cuts its batches.
   */
  async #deliver({ event, at, kind }: Delivery): Promise<readonly Candidate[]> {
    this.#clock.advanceTo(instant(at - 1));
    const isReferral = event.topic === "orders" && event.kind === "PLACED" && event.referredBy !== null;
    const isAlone = kind !== "prompt" || isReferral;
    const before = isAlone ? await this.#settle(null) : [];
    this.#counts[kind === "again" ? "again" : "facts"]++;
    if (kind === "late") this.#counts.late++;
    this.#facts.add(event);
    this.#options.saveEvent?.(eventLine(event));
    await this.#engine.append([event]);
    return isAlone ? [...before, ...(await this.#settle(kind === "late" ? event : null))] : before;
  }

  async #settle(lateFact: SimulatedEvent | null): Promise<readonly Candidate[]> {
    await this.#engine.settle();
    return this.#chronicle.take(this.#clock.now(), lateFact);
  }

  async #showStep(
    candidates: readonly Candidate[],
    fromAt: number,
    toAt: number,
    pacer: Pacer,
  ): Promise<void> {
    const { out, signal } = this.#options;
    const shown = this.#highlights.choose(candidates, (toAt - fromAt) / WEEK_MS);
    const whole = this.#endAt - DEMO_START_AT;
    for (const [i, candidate] of shown.entries()) {
      if (signal.aborted) return;
      out.write(`${this.#line(candidate)}\n`);
      const passed = fromAt - DEMO_START_AT + ((toAt - fromAt) * (i + 1)) / (shown.length + 1);
      await pacer.reach(passed / whole);
    }
    await pacer.reach((toAt - DEMO_START_AT) / whole);
  }

  #line({ customerId, change, noticedAt, lateFact }: Candidate): string {
    if (change === null) return erasureLine(customerId, noticedAt, this.#palette);
    return changeLine(change, {
      noticedAt,
      lateFact,
      tell: (ref: EventRef) => this.#facts.tell(ref),
      currency: this.#policy.baseCurrency,
      columns: this.#columns,
      palette: this.#palette,
    });
  }

  #sumUp(): void {
    const { out, signal } = this.#options;
    const { standings, byCause, erased, deadLetters } = this.#chronicle;
    const day = dateText(this.#clock.now());
    const title = signal.aborted
      ? `Stopped on ${day}. Where everybody stands`
      : `Where everybody stands on ${day}`;
    out.write(`\n${this.#palette.heading(title)}\n`);
    out.write(`${ladderText(standings.values(), this.#palette)}\n`);
    out.write(totalsText(this.#counts, byCause, erased.size, deadLetters));
  }
}
