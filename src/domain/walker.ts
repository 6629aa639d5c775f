import { instant } from "../shared/instant.ts";
import { classify, DIVEST_AGE_MS, NOTHING_BEFORE, STAGE_RANK, type Before } from "./classify.ts";
import type { Cause, CauseKind, DeadlineName, EventRef, Transition } from "./change.ts";
import type { Base, Standing } from "./customer-state.ts";
import { firstInterestAfter, overdueAt, passingFiguresOf, type Figures } from "./figures.ts";
import { Ledger } from "./ledger.ts";
import type { Policy } from "./policy.ts";
import { firstAfter } from "./sorted.ts";
import { Window, YEAR_MS } from "./window.ts";

/**
 * The fold over a customer's instants in event time (S7). Facts are shown to its ledger by whoever drives it; `stepTo` evaluates
 * once at an instant. The same walker serves events in order, re-folds, look-aheads and the timeline.
 */
export class Walker {
  readonly window: Window;
  standing: Standing | null;
  /** Figures of the last transition, until it has been told; null: the last evaluation made none. */
  figures: Figures | null = null;
  #before: Before = NOTHING_BEFORE;
  /** The standing that `#before` is of. */
  #beforeOf: Standing | null = null;
  /** The next deadline, while nothing has been evaluated since it was looked for; and the best candidate while it is. */
  #deadlineAt = Infinity;
  #deadlineName: DeadlineName = "lapse";
  #isDeadlineKnown = false;

  constructor(window: Window, standing: Standing | null) {
    this.window = window;
    this.standing = standing;
  }

  static from(policy: Policy, base: Base | null): Walker {
    return new Walker(new Window(new Ledger(policy, base), base?.at ?? -Infinity), base?.standing ?? null);
  }

  /** A walker that may go ahead while this one stays; it shares the facts seen so far and must not be shown new ones. */
  ahead(): Walker {
    return new Walker(this.window.copy(), this.standing);
  }

  get ledger(): Ledger {
    return this.window.ledger;
  }

  get before(): Before {
    if (this.#beforeOf !== this.standing) {
      this.#beforeOf = this.standing;
      this.#before = beforeOf(this.standing);
    }
    return this.#before;
  }

  /** Lets time pass to an instant whose events, if any, are about to be shown. */
  moveTo(at: number): void {
    this.#isDeadlineKnown = false;
    this.window.moveTo(at);
  }

  /**
   * Evaluates at the instant the window stands at; `kind` and `ref` are the cause of what changes there.
   * @returns the transition, or null when the classification stays
   */
  evaluate(kind: CauseKind, ref: Cause["ref"]): Transition | null {
    this.#isDeadlineKnown = false;
    const at = this.window.at;
    const before = this.before;
    const figures = passingFiguresOf(this.window, before.accountSince);
    this.figures = null;
    const previous = this.standing?.classification ?? null;
    const current = classify(figures, at, before, previous);
    const isAccount = STAGE_RANK[current.stage] >= STAGE_RANK.ACCOUNT;
    const accountSince = isAccount ? instant(before.accountSince ?? at) : null;
    if (this.standing !== null && current === previous) {
      if (this.standing.accountSince !== accountSince) this.standing = { ...this.standing, accountSince };
      return null;
    }
    this.figures = { ...figures };
    const transition: Transition = { at: instant(at), previous, current, cause: { kind, ref } };
    this.standing = { classification: current, since: transition.at, cause: transition.cause, accountSince };
    return transition;
  }

  /** Moves to the next deadline, which is at this instant, and evaluates there. */
  applyDeadline(at: number): Transition | null {
    const name = this.deadlineName;
    this.moveTo(at);
    return this.evaluate("DEADLINE", name);
  }

  /** The next deadline after the window's instant (S7): when time alone may change the classification; Infinity: none. */
  get nextDeadlineAt(): number {
    if (!this.#isDeadlineKnown) this.#lookForDeadline();
    return this.#deadlineAt;
  }

  /** What the next deadline is named after; of several at one instant the first of DEADLINES. */
  get deadlineName(): DeadlineName {
    if (!this.#isDeadlineKnown) this.#lookForDeadline();
    return this.#deadlineName;
  }

  #lookForDeadline(): void {
    const { window, ledger } = this;
    this.#isDeadlineKnown = true;
    const now = window.at;
    const profile = ledger.profile;
    this.#deadlineAt = Infinity;
    const lapse = ledger.lapse;
    if (lapse !== null) this.#consider(lapse.lapseAt, "lapse");
    if (ledger.open.length > 0) this.#consider(overdueAt(window, profile), "overdue");
    this.#consider(Math.min(window.orderExitAt, window.costExitAt), "window-365d");
    if (ledger.referrals.length > 0) {
      const first = ledger.referrals[firstAfter(ledger.referrals, now - YEAR_MS)];
      if (first !== undefined) this.#consider(first.at + YEAR_MS, "window-365d");
    }
    const occasionAt = ledger.occasions.ats[window.firstOccasion730];
    if (occasionAt !== undefined) this.#consider(occasionAt + 2 * YEAR_MS, "window-730d");
    const interestAt = firstInterestAfter(window, now - profile.interestMs);
    if (interestAt !== null) this.#consider(interestAt + profile.interestMs, "interest");
    if (ledger.surveys.length > 0) {
      const survey = ledger.surveys[firstAfter(ledger.surveys, now - profile.surveyMs)];
      if (survey !== undefined) this.#consider(survey.at + profile.surveyMs, "survey");
    }
    const accountSince = this.standing?.accountSince ?? null;
    if (accountSince !== null) this.#consider(accountSince + profile.patron.tenureMs, "tenure");
    const firstAt = ledger.firstOccasionAt;
    if (firstAt !== null) this.#consider(firstAt + DIVEST_AGE_MS, "divest-age");
  }

  #consider(at: number, name: DeadlineName): void {
    if (at <= this.window.at || at >= this.#deadlineAt) return;
    this.#deadlineAt = at;
    this.#deadlineName = name;
  }
}

/** What a standing leaves to the next instant (S7). */
export function beforeOf(standing: Standing | null): Before {
  if (standing === null) return NOTHING_BEFORE;
  const { classification, accountSince } = standing;
  return { stage: classification.stage, value: classification.value, accountSince };
}

/** The smallest of the events of one instant (S8 cause). */
export function smallestRef(a: EventRef | null, b: EventRef): EventRef {
  if (a === null) return b;
  if (a.topic !== b.topic) return a.topic < b.topic ? a : b;
  return a.eventId <= b.eventId ? a : b;
}
