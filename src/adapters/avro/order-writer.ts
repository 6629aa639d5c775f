import type { Closing, OrderFact, OrderVersion, RefundFact } from "../../domain/customer-state.ts";
import { END, FIRST_BRANCH, NULL, type PartWriter } from "./part-writer.ts";

/** Writes orders into a part of a state. */
export class OrderWriter {
  readonly #part: PartWriter;

  constructor(part: PartWriter) {
    this.#part = part;
  }

  readonly order = ({ orderId, versions, paid, cancelled, refunds }: OrderFact): void => {
    const { sink } = this.#part;
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
    const { sink } = this.#part;
    this.#part.instant(at);
    this.#part.eventId(eventId, orderId);
    sink.int(version.amountMinor);
    sink.int(version.costMinor);
    sink.int(version.units);
    this.#part.optionalShared(currency);
    if (revision === 0 && categories.length === 0 && dueAt === null && referredBy === null) {
      sink.byte(NULL);
      return;
    }
    sink.byte(FIRST_BRANCH);
    sink.int(revision);
    if (categories.length > 0) {
      sink.int(categories.length);
      for (const category of categories) this.#part.shared(category, 0);
    }
    sink.byte(END);
    if (dueAt === null) sink.byte(NULL);
    else {
      sink.byte(FIRST_BRANCH);
      sink.int(dueAt - at);
    }
    this.#part.optionalText(referredBy);
  }

  #closings(closings: readonly Closing[], orderId: string): void {
    this.#part.sink.list(closings, ({ at, eventId }) => {
      this.#part.instant(at);
      this.#part.eventId(eventId, orderId);
    });
  }

  #refund({ refundId, versions }: RefundFact, orderId: string): void {
    const { sink } = this.#part;
    sink.text(refundId);
    sink.list(versions, ({ at, revision, eventId, amountMinor }) => {
      this.#part.instant(at);
      sink.int(revision);
      this.#part.eventId(eventId, orderId);
      sink.int(amountMinor);
    });
  }
}
