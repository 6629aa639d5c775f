import { parse as parseUuid } from "uuid";
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
import { STATE_VERSION } from "./state-schema.ts";

/**
 * Writes the parts of a state as `state-schema.ts` says, straight from the domain's objects: states are written with every batch,
 * and a generic writer spends more on the objects it wants than on the bytes (test/adapters/avro/state-codec.test.ts reads what
 * is written here with the schema).
 */
export class StateWriter {
  readonly #sink = new AvroSink();
  /** Texts that several facts of a part share, by their index. */
  readonly #texts = new Map<string, number>();
  /** The instant written last: each is stored as the difference from the one before. */
  #last = 0;

  head(state: CustomerState): Uint8Array {
    const sink = this.#begin();
    const { tailPage, published, standing } = state;
    const tail = tailPage === 0 ? state.orders : state.orders.filter((order) => order.page === tailPage);
    sink.int(state.firstPage);
    sink.int(tailPage);
    this.#writeTexts(tail, state.inquiries);
    sink.list(tail, this.#order);
    this.#others(state);
    this.#optionalInstant(state.evaluatedAt);
    this.#optionalInstant(state.newestAt);
    this.#standing(standing);
    if (published === null) sink.byte(NULL);
    else {
      sink.byte(FIRST_BRANCH);
      sink.raw(parseUuid(published.changeId));
      if (standing !== null && sameClassification(standing.classification, published.classification)) {
        sink.byte(NULL);
      } else {
        sink.byte(FIRST_BRANCH);
        this.#classification(published.classification);
      }
    }
    this.#base(state.base);
    this.#optionalInstant(state.erasedAt);
    return sink.finish();
  }

  page(orders: readonly OrderFact[]): Uint8Array {
    const sink = this.#begin();
    this.#writeTexts(orders, []);
    sink.list(orders, this.#order);
    return sink.finish();
  }

  #begin(): AvroSink {
    this.#sink.begin();
    this.#sink.byte(STATE_VERSION);
    this.#last = 0;
    return this.#sink;
  }

  #writeTexts(orders: readonly OrderFact[], inquiries: readonly InquiryFact[]): void {
    const texts = this.#texts;
    if (texts.size > 0) texts.clear();
    for (const { versions } of orders) {
      for (const { currency, categories } of versions) {
        if (currency !== null && !texts.has(currency)) texts.set(currency, texts.size);
        for (const category of categories) if (!texts.has(category)) texts.set(category, texts.size);
      }
    }
    for (const { versions } of inquiries) {
      for (const { currency } of versions) {
        if (currency !== null && !texts.has(currency)) texts.set(currency, texts.size);
      }
    }
    if (texts.size > 0) {
      this.#sink.int(texts.size);
      for (const text of texts.keys()) this.#sink.text(text);
    }
    this.#sink.byte(END);
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
    sink.int(this.#textIndex(currency));
    if (categories.length > 0) {
      sink.int(categories.length);
      for (const category of categories) sink.int(this.#textIndex(category));
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
      sink.int(this.#textIndex(currency));
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

  /** 0: none; else one more than the index. */
  #textIndex(text: string | null): number {
    return text === null ? 0 : (this.#texts.get(text) ?? -1) + 1;
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
