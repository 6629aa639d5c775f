import { CAUSE_KINDS, DEADLINES } from "../../domain/change.ts";
import {
  ATTENTIONS,
  STAGES,
  STATUSES,
  TAGS,
  VALUES,
  type Classification,
} from "../../domain/classification.ts";
import { sameClassification } from "../../domain/classify.ts";
import type {
  Base,
  Closing,
  CustomerState,
  InquiryFact,
  OrderFact,
  OrderVersion,
  ReferralFact,
  RefundFact,
  RegisterRecord,
  Standing,
  SurveyFact,
} from "../../domain/customer-state.ts";
import { FACT_TOPICS, INQUIRY_KINDS, type FactTopic } from "../../domain/events.ts";
import { AvroSink } from "./avro-sink.ts";
import { GREATEST_TEXTS, STATE_VERSION } from "./state-schema.ts";

/** The orders of a tail page as they were written last; of no use once one of them has changed. */
export interface TailMemo {
  readonly page: number;
  readonly count: number;
  /** Their bytes, one a character: on the heap, where a small buffer of its own would cost more than it holds. */
  readonly items: string;
  /** Where the differences of instants go on. */
  readonly last: number;
  /** Grows with the tail; belongs to the memo written last. */
  readonly texts: string[];
}

/**
 * Writes the parts of a state as `state-schema.ts` says, straight from the domain's objects: states are written with every batch,
 * and a generic writer spends more on the objects it wants than on the bytes (test/adapters/avro/state-codec.test.ts reads what
 * is written here with the schema).
 */
export class StateWriter {
  readonly #sink = new AvroSink();
  /** The texts of the part so far that have a place. */
  #texts: string[] = [];
  /** The instant written last: each is stored as the difference from the one before. */
  #last = 0;

  /**
   * The head of a state, and what `memo` is to be for the next one. With the memo of the one before only those orders are
   * encoded that have been added to the tail since.
   */
  head(state: CustomerState, memo: TailMemo | null): { readonly head: Uint8Array; readonly memo: TailMemo } {
    const sink = this.#begin();
    const { tailPage, published, standing } = state;
    sink.int(state.firstPage);
    sink.int(tailPage);
    const tail = this.#tail(state, memo !== null && memo.page === tailPage ? memo : null);
    this.#others(state);
    this.#optionalInstant(state.evaluatedAt);
    this.#optionalInstant(state.newestAt);
    this.#standing(standing);
    if (published === null) sink.byte(NULL);
    else {
      sink.byte(FIRST_BRANCH);
      sink.uuid(published.changeId);
      if (standing !== null && sameClassification(standing.classification, published.classification)) {
        sink.byte(NULL);
      } else {
        sink.byte(FIRST_BRANCH);
        this.#classification(published.classification);
      }
    }
    this.#base(state.base);
    this.#optionalInstant(state.erasedAt);
    return { head: sink.finish(), memo: tail };
  }

  page(orders: readonly OrderFact[]): Uint8Array {
    const sink = this.#begin();
    sink.list(orders, this.#order);
    return sink.finish();
  }

  /** The orders of the tail page as one block: those of the memo as they were, then the new ones. */
  #tail({ orders, tailPage }: CustomerState, memo: TailMemo | null): TailMemo {
    const sink = this.#sink;
    const known = memo?.count ?? 0;
    // Orders stand in the order of their pages, the tail last.
    let first = orders.length;
    while (first > 0 && orders[first - 1]?.page === tailPage) first--;
    const count = orders.length - first;
    if (count === 0) {
      sink.byte(END);
      return { page: tailPage, count, items: "", last: this.#last, texts: this.#texts };
    }
    sink.int(count);
    const start = sink.mark();
    if (memo !== null) {
      sink.latin1(memo.items);
      this.#last = memo.last;
      this.#texts = memo.texts;
    }
    for (let i = first + known; i < orders.length; i++) {
      const order = orders[i];
      if (order !== undefined) this.#order(order);
    }
    const items = memo !== null && known === count ? memo.items : sink.latin1Since(start);
    sink.byte(END);
    return { page: tailPage, count, items, last: this.#last, texts: this.#texts };
  }

  #begin(): AvroSink {
    this.#sink.begin();
    this.#sink.byte(STATE_VERSION);
    this.#last = 0;
    this.#texts = [];
    return this.#sink;
  }

  readonly #order = ({ orderId, versions, paid, cancelled, refunds }: OrderFact): void => {
    const sink = this.#sink;
    sink.text(orderId);
    if (versions.length > 0) {
      sink.int(versions.length);
      for (const version of versions) this.#version(version, orderId);
    }
    sink.byte(END);
    if (paid.length + cancelled.length + refunds.length === 0) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    this.#closings(paid, orderId);
    this.#closings(cancelled, orderId);
    sink.list(refunds, (refund) => this.#refund(refund, orderId));
  };

  #version(version: OrderVersion, orderId: string): void {
    const { at, revision, eventId, currency, categories, dueAt, referredBy } = version;
    const sink = this.#sink;
    this.#instant(at);
    this.#eventId(eventId, orderId);
    sink.int(version.amountMinor);
    sink.int(version.costMinor);
    sink.int(version.units);
    if (
      revision === 0 &&
      currency === null &&
      categories.length === 0 &&
      dueAt === null &&
      referredBy === null
    ) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    sink.int(revision);
    this.#optionalShared(currency);
    if (categories.length > 0) {
      sink.int(categories.length);
      for (const category of categories) this.#shared(category, 0);
    }
    sink.byte(END);
    if (dueAt === null) sink.byte(NULL);
    else {
      sink.byte(FIRST_BRANCH);
      sink.int(dueAt - at);
    }
    this.#optionalText(referredBy);
  }

  #closings(closings: readonly Closing[], orderId: string): void {
    this.#sink.list(closings, ({ at, eventId }) => {
      this.#instant(at);
      this.#eventId(eventId, orderId);
    });
  }

  #refund({ refundId, versions }: RefundFact, orderId: string): void {
    const sink = this.#sink;
    sink.text(refundId);
    sink.list(versions, ({ at, revision, eventId, amountMinor }) => {
      this.#instant(at);
      sink.int(revision);
      this.#eventId(eventId, orderId);
      sink.int(amountMinor);
    });
  }

  #others({ inquiries, surveys, register, referrals }: CustomerState): void {
    const sink = this.#sink;
    if (inquiries.length + surveys.length + register.length + referrals.length === 0) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    // The memo's texts are those of the orders alone.
    if (inquiries.length > 0) this.#texts = [...this.#texts];
    sink.list(inquiries, this.#inquiry);
    sink.list(surveys, this.#survey);
    sink.list(register, this.#record);
    sink.list(referrals, this.#referral);
  }

  readonly #inquiry = ({ inquiryId, versions }: InquiryFact): void => {
    const sink = this.#sink;
    sink.text(inquiryId);
    sink.list(versions, ({ at, revision, eventId, kind, handlingCostMinor, currency }) => {
      this.#instant(at);
      sink.int(revision);
      this.#eventId(eventId, inquiryId);
      sink.int(INQUIRY_KINDS.indexOf(kind));
      sink.int(handlingCostMinor);
      this.#optionalShared(currency);
    });
  };

  readonly #survey = ({ surveyId, versions }: SurveyFact): void => {
    const sink = this.#sink;
    sink.text(surveyId);
    sink.list(versions, ({ at, revision, eventId, score }) => {
      this.#instant(at);
      sink.int(revision);
      this.#eventId(eventId, surveyId);
      sink.int(score);
    });
  };

  readonly #record = ({ at, eventId, source, attributes }: RegisterRecord): void => {
    const sink = this.#sink;
    this.#instant(at);
    sink.text(eventId);
    sink.text(source);
    sink.list(attributes, ([name, value]) => {
      sink.text(name);
      this.#optionalText(value);
    });
  };

  readonly #referral = ({ referredId, orderId, version, spans }: ReferralFact): void => {
    const sink = this.#sink;
    sink.text(referredId);
    sink.text(orderId);
    sink.int(version);
    sink.list(spans, ({ at, from, until }) => {
      this.#instant(at);
      this.#instant(from);
      this.#optionalInstant(until);
    });
  };

  #standing(standing: Standing | null): void {
    const sink = this.#sink;
    if (standing === null) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    this.#classification(standing.classification);
    this.#instant(standing.since);
    const { kind, ref } = standing.cause;
    sink.int(CAUSE_KINDS.indexOf(kind));
    if (ref === null) sink.byte(NULL);
    else if (typeof ref === "string") {
      sink.byte(SECOND_BRANCH);
      sink.int(DEADLINES.indexOf(ref));
    } else {
      sink.byte(FIRST_BRANCH);
      sink.int(FACT_TOPICS.indexOf(ref.topic as FactTopic));
      sink.text(ref.eventId);
    }
    this.#optionalInstant(standing.accountSince);
  }

  #classification({ status, stage, value, attention, tags }: Classification): void {
    const sink = this.#sink;
    sink.int(STATUSES.indexOf(status));
    sink.int(STAGES.indexOf(stage));
    sink.int(VALUES.indexOf(value));
    sink.int(ATTENTIONS.indexOf(attention));
    let bits = 0;
    for (const tag of tags) bits |= 1 << TAGS.indexOf(tag);
    sink.int(bits);
  }

  #base(base: Base | null): void {
    const sink = this.#sink;
    if (base === null) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    this.#instant(base.at);
    this.#standing(base.standing);
    sink.int(base.occasionsDropped);
    this.#optionalInstant(base.firstOccasionAt);
  }

  #instant(at: number): void {
    this.#sink.int(at - this.#last);
    this.#last = at;
  }

  #optionalInstant(at: number | null): void {
    if (at === null) {
      this.#sink.byte(NULL);
      return;
    }
    this.#sink.byte(FIRST_BRANCH);
    this.#instant(at);
  }

  #optionalText(text: string | null): void {
    if (text === null) {
      this.#sink.byte(NULL);
      return;
    }
    this.#sink.byte(FIRST_BRANCH);
    this.#sink.text(text);
  }

  #optionalShared(text: string | null): void {
    if (text === null) this.#sink.byte(NULL);
    else this.#shared(text, FIRST_BRANCH);
  }

  /** A text, or its place when it was written before; `branch`: that of the text, the place's is the next. */
  #shared(text: string, branch: number): void {
    const texts = this.#texts;
    const index = texts.indexOf(text);
    if (index >= 0) {
      this.#sink.byte(branch + 2);
      this.#sink.int(index);
      return;
    }
    if (texts.length < GREATEST_TEXTS) texts.push(text);
    this.#sink.byte(branch);
    this.#sink.text(text);
  }

  /** An event id as how much of its end it shares with its fact's id, and its own start. */
  #eventId(eventId: string, factId: string): void {
    const most = Math.min(eventId.length, factId.length);
    let shared = 0;
    while (
      shared < most &&
      eventId.charCodeAt(eventId.length - 1 - shared) === factId.charCodeAt(factId.length - 1 - shared)
    ) {
      shared++;
    }
    // Half a surrogate pair is not a text: it would not survive UTF-8.
    const cut = eventId.charCodeAt(eventId.length - shared);
    if (shared > 0 && cut >= 0xdc00 && cut <= 0xdfff) shared--;
    this.#sink.int(shared);
    this.#sink.text(shared === 0 ? eventId : eventId.slice(0, eventId.length - shared));
  }
}

/** Branches of a union that begins with null, and the end of an array's blocks, as Avro encodes them. */
const NULL = 0;
const FIRST_BRANCH = 2;
const SECOND_BRANCH = 4;
const END = 0;
