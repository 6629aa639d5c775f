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
  CustomerState,
  InquiryFact,
  ReferralFact,
  RegisterRecord,
  Standing,
  SurveyFact,
} from "../../domain/customer-state.ts";
import { FACT_TOPICS, INQUIRY_KINDS, type FactTopic } from "../../domain/events.ts";
import { FIRST_BRANCH, NULL, SECOND_BRANCH, type PartWriter } from "./part-writer.ts";

/** Writes what a head holds besides orders: the other facts and the fold's memory. */
export class RestWriter {
  readonly #part: PartWriter;

  constructor(part: PartWriter) {
    this.#part = part;
  }

  rest(state: CustomerState): void {
    this.#others(state);
    this.#standing(state.standing);
    this.#published(state);
    this.#base(state.base);
    this.#part.optionalInstant(state.erasedAt);
  }

  #published({ published, standing }: CustomerState): void {
    const { sink } = this.#part;
    if (published === null) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    sink.uuid(published.changeId);
    if (standing !== null && sameClassification(standing.classification, published.classification)) {
      sink.byte(NULL);
    } else {
      sink.byte(FIRST_BRANCH);
      this.#classification(published.classification);
    }
  }

  #others({ inquiries, surveys, register, referrals }: CustomerState): void {
    const { sink } = this.#part;
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
    const { sink } = this.#part;
    sink.text(inquiryId);
    sink.list(versions, ({ at, revision, eventId, kind, handlingCostMinor, currency }) => {
      this.#part.instant(at);
      sink.int(revision);
      this.#part.eventId(eventId, inquiryId);
      sink.int(INQUIRY_KINDS.indexOf(kind));
      sink.int(handlingCostMinor);
      this.#part.optionalShared(currency);
    });
  };

  readonly #survey = ({ surveyId, versions }: SurveyFact): void => {
    const { sink } = this.#part;
    sink.text(surveyId);
    sink.list(versions, ({ at, revision, eventId, score }) => {
      this.#part.instant(at);
      sink.int(revision);
      this.#part.eventId(eventId, surveyId);
      sink.int(score);
    });
  };

  readonly #record = ({ at, eventId, source, attributes }: RegisterRecord): void => {
    const { sink } = this.#part;
    this.#part.instant(at);
    sink.text(eventId);
    sink.text(source);
    sink.list(attributes, ([name, value]) => {
      sink.text(name);
      this.#part.optionalText(value);
    });
  };

  readonly #referral = ({ referredId, orderId, version, spans }: ReferralFact): void => {
    const { sink } = this.#part;
    sink.text(referredId);
    sink.text(orderId);
    sink.int(version);
    sink.list(spans, ({ at, from, until }) => {
      this.#part.instant(at);
      this.#part.instant(from);
      this.#part.optionalInstant(until);
    });
  };

  #standing(standing: Standing | null): void {
    const { sink } = this.#part;
    if (standing === null) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    this.#classification(standing.classification);
    this.#part.instant(standing.since);
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
    this.#part.optionalInstant(standing.accountSince);
  }

  #classification({ status, stage, value, attention, tags }: Classification): void {
    const { sink } = this.#part;
    sink.int(STATUSES.indexOf(status));
    sink.int(STAGES.indexOf(stage));
    sink.int(VALUES.indexOf(value));
    sink.int(ATTENTIONS.indexOf(attention));
    let bits = 0;
    for (const tag of tags) bits |= 1 << TAGS.indexOf(tag);
    sink.int(bits);
  }

  #base(base: Base | null): void {
    const { sink } = this.#part;
    if (base === null) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    this.#part.instant(base.at);
    this.#standing(base.standing);
    sink.int(base.occasionsDropped);
    this.#part.optionalInstant(base.firstOccasionAt);
  }
}
