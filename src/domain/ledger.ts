import type { Calendar } from "./calendar.ts";
import { calendarOf } from "./calendar.ts";
import { contributionAt, type Contribution } from "./contribution.ts";
import type {
  Base,
  InquiryFact,
  OrderFact,
  ReferralFact,
  RegisterRecord,
  SurveyFact,
} from "./customer-state.ts";
import { toBase } from "./money.ts";
import type { Policy, Profile } from "./policy.ts";
import { lapseOf, type Lapse } from "./lapse.ts";
import { Occasions } from "./occasions.ts";
import { firstAfter, insertByAt } from "./sorted.ts";
import { versionAt } from "./versions.ts";

/** An inquiry that shows interest (S3.9). */
interface InterestEntry {
  readonly fact: InquiryFact;
  readonly at: number;
}

/** What handling an inquiry cost, in minor units of the base currency; never 0 (S3.5). */
interface HandlingEntry {
  readonly fact: InquiryFact;
  readonly at: number;
  readonly cost: number;
}

interface SurveyEntry {
  readonly fact: SurveyFact;
  readonly at: number;
  readonly eventId: string;
  readonly score: number;
}

/** A referral in force: its order stands (S3.8). */
interface ReferralEntry {
  readonly at: number;
  readonly referredId: string;
}

interface AttributeEntry {
  readonly value: string | null;
  readonly at: number;
  readonly eventId: string;
}

/** Told of what enters and leaves, so that sums over a window follow without a scan. */
export interface LedgerListener {
  orderAdded(index: number, order: Contribution): void;
  orderRemoved(index: number, order: Contribution): void;
  handlingAdded(index: number, handling: { readonly at: number; readonly cost: number }): void;
  handlingRemoved(index: number, handling: { readonly at: number; readonly cost: number }): void;
  /** `occasions` is not what it was from this index on; `at`: the least instant that was or is there. */
  occasionsChanged(index: number, at: number): void;
}

/**
 * A customer's facts as they are seen at an instant, sorted by time. It changes only when a fact is seen, never by time alone,
 * so a look ahead can share it. Each `see…` replaces what the fact was by what it is as of the instant.
 */
export class Ledger {
  readonly policy: Policy;
  readonly calendar: Calendar;
  readonly orders: Contribution[] = [];
  readonly occasions = new Occasions();
  /** Standing, unpaid, with terms; ascending by `dueAt`. */
  readonly open: Contribution[] = [];
  /** INFORMATION, QUOTE and VISIT. */
  readonly interests: InterestEntry[] = [];
  /** Inquiries of any kind that cost something. */
  readonly handlings: HandlingEntry[] = [];
  readonly surveys: SurveyEntry[] = [];
  referrals: ReferralEntry[] = [];
  /** null: nothing is recorded, as of most. */
  #attributes: Map<string, AttributeEntry> | null = null;
  /** Settled occasions that are kept only as a number (S4.4). */
  readonly occasionsDropped: number;
  readonly #firstDroppedAt: number | null;
  #profile: Profile | null = null;
  #fit = -1;
  #lapse: Lapse | null = null;
  /** Newest instant of a fact seen, kept by whoever shows the facts; S3.7 asks how old an order is by it. */
  newestAt = -Infinity;

  constructor(policy: Policy, base: Base | null) {
    this.policy = policy;
    this.calendar = calendarOf(policy.timezone);
    this.occasionsDropped = base?.occasionsDropped ?? 0;
    this.#firstDroppedAt = base?.firstOccasionAt ?? null;
  }

  /** n: occasions ever. */
  get occasionsEver(): number {
    return this.occasionsDropped + this.occasions.length;
  }

  /** t₁. */
  get firstOccasionAt(): number | null {
    return this.#firstDroppedAt ?? this.occasions.firstAt;
  }

  /** The first profile that matches (S5.3). */
  get profile(): Profile {
    // Asked for many times with every event: what makes a closure is kept out of here.
    return this.#profile ?? this.#matchingProfile();
  }

  get fit(): number {
    if (this.#fit < 0) {
      let matched = 0;
      let total = 0;
      for (const { attribute, anyOf, weight } of this.profile.idealCustomer) {
        total += weight;
        if (this.#is(attribute, anyOf)) matched += weight;
      }
      this.#fit = total === 0 ? 0 : matched / total;
    }
    return this.#fit;
  }

  get canBuy(): boolean {
    return this.#attributes?.get("canBuy")?.value !== "false";
  }

  /** Lapse deadline and season at tₙ (S4.1–S4.5); null when n = 0. */
  get lapse(): Lapse | null {
    if (this.occasions.length === 0) return null;
    const profile = this.profile;
    this.#lapse ??= lapseOf(
      this.occasions,
      this.occasionsEver,
      profile.lapse,
      this.policy.horizonMs,
      this.calendar,
    );
    return this.#lapse;
  }

  seeOrder(order: OrderFact, at: number, listener: LedgerListener): void {
    const index = this.#indexOf(order, at);
    const before = index < 0 ? undefined : this.orders[index];
    const after = contributionAt(order, at, this.policy, this.calendar);
    if (before !== undefined) {
      this.orders.splice(index, 1);
      this.#removeOccasion(before, index, listener);
      if (before.dueAt !== null && before.lateMs === null) this.open.splice(this.open.indexOf(before), 1);
      listener.orderRemoved(index, before);
    }
    if (after !== null) {
      const inserted = insertByAt(this.orders, after);
      this.#addOccasion(after, listener);
      if (after.dueAt !== null && after.lateMs === null) this.#openInvoice(after, after.dueAt);
      listener.orderAdded(inserted, after);
    }
  }

  seeInquiry(inquiry: InquiryFact, at: number, listener: LedgerListener): void {
    // A fact with one version has not been seen before: an event in order does not search those that have.
    if (inquiry.versions.length > 1) this.#takeInquiryBack(inquiry, listener);
    const version = versionAt(inquiry.versions, at);
    if (version === undefined) return;
    if (version.kind === "INFORMATION" || version.kind === "QUOTE" || version.kind === "VISIT") {
      insertByAt(this.interests, { fact: inquiry, at: version.at });
    }
    const cost = toBase(this.policy, version.handlingCostMinor, version.currency, version.at) ?? 0;
    if (cost === 0) return;
    const entry: HandlingEntry = { fact: inquiry, at: version.at, cost };
    listener.handlingAdded(insertByAt(this.handlings, entry), entry);
  }

  seeSurvey(survey: SurveyFact, at: number): void {
    if (survey.versions.length > 1) {
      const index = this.surveys.findLastIndex(({ fact }) => fact === survey);
      if (index >= 0) this.surveys.splice(index, 1);
    }
    const version = versionAt(survey.versions, at);
    if (version === undefined) return;
    const { eventId, score } = version;
    let place = firstAfter(this.surveys, version.at);
    while (place > 0) {
      const before = this.surveys[place - 1];
      if (before === undefined || before.at < version.at || before.eventId < eventId) break;
      place--;
    }
    this.surveys.splice(place, 0, { fact: survey, at: version.at, eventId, score });
  }

  seeRecord(record: RegisterRecord): void {
    const attributes = (this.#attributes ??= new Map<string, AttributeEntry>());
    for (const [name, value] of record.attributes) {
      const known = attributes.get(name);
      if (
        known !== undefined &&
        (known.at > record.at || (known.at === record.at && known.eventId > record.eventId))
      ) {
        continue;
      }
      attributes.set(name, { value, at: record.at, eventId: record.eventId });
    }
    this.#profile = null;
    this.#fit = -1;
  }

  seeReferrals(referrals: readonly ReferralFact[], at: number): void {
    const active: ReferralEntry[] = [];
    for (const { referredId, spans } of referrals) {
      for (const span of spans) {
        if (span.from <= at && (span.until === null || at < span.until))
          active.push({ at: span.at, referredId });
      }
    }
    this.referrals = active.sort((a, b) => a.at - b.at);
  }

  #takeInquiryBack(inquiry: InquiryFact, listener: LedgerListener): void {
    const interest = this.interests.findLastIndex(({ fact }) => fact === inquiry);
    if (interest >= 0) this.interests.splice(interest, 1);
    const index = this.handlings.findLastIndex(({ fact }) => fact === inquiry);
    const [handling] = index < 0 ? [] : this.handlings.splice(index, 1);
    if (handling !== undefined) listener.handlingRemoved(index, handling);
  }

  /** Where the order stood before this instant; -1 when it did not. */
  #indexOf(order: OrderFact, at: number): number {
    if (this.orders.length === 0) return -1;
    for (let i = order.versions.length - 1; i >= 0; i--) {
      const version = order.versions[i];
      if (version === undefined || version.at > at) continue;
      for (let index = firstAfter(this.orders, version.at) - 1; index >= 0; index--) {
        const candidate = this.orders[index];
        if (candidate === undefined || candidate.at !== version.at) break;
        if (candidate.order === order) return index;
      }
    }
    return -1;
  }

  #addOccasion(order: Contribution, listener: LedgerListener): void {
    const index = this.occasions.add(order.at, this.calendar);
    if (index < 0) return;
    listener.occasionsChanged(index, order.at);
    this.#lapse = null;
  }

  /** `index`: where the order stood; the orders of its day that follow stand there now. */
  #removeOccasion(order: Contribution, index: number, listener: LedgerListener): void {
    if (this.orders[index - 1]?.at === order.at) return;
    const successor = this.orders[index];
    const changed = this.occasions.remove(order.at, successor?.day === order.day ? successor.at : null);
    if (changed < 0) return;
    listener.occasionsChanged(changed, order.at);
    this.#lapse = null;
  }

  #openInvoice(order: Contribution, dueAt: number): void {
    let index = this.open.length;
    while (index > 0 && (this.open[index - 1]?.dueAt ?? 0) > dueAt) index--;
    this.open.splice(index, 0, order);
  }

  #matchingProfile(): Profile {
    const match = this.policy.profiles.find((profile) => this.#matches(profile));
    if (match === undefined) throw new Error("the last profile of a policy takes everybody");
    this.#profile = match;
    this.#lapse = null;
    return match;
  }

  #matches(profile: Profile): boolean {
    if (profile.match === null) return true;
    return Object.entries(profile.match).every(([attribute, allowed]) => this.#is(attribute, allowed));
  }

  #is(attribute: string, anyOf: readonly string[]): boolean {
    const value = this.#attributes?.get(attribute)?.value;
    return value !== undefined && value !== null && anyOf.includes(value);
  }
}
