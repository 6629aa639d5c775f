import type { EventRef } from "../../domain/change.ts";
import type { CustomerEvent } from "../../domain/events.ts";
import { eventText } from "./cause-text.ts";

/** Facts remembered, so that a line can say what set its change off. */
const GREATEST_COUNT = 2000;

/** What the last facts told, by event. Memory is bounded: the oldest are forgotten first. */
export class RecentFacts {
  readonly #texts = new Map<string, string>();
  readonly #currency: string;

  /** @param currency of orders that name none */
  constructor(currency: string) {
    this.#currency = currency;
  }

  add(event: Exclude<CustomerEvent, { topic: "referrals" }>): void {
    this.#texts.set(keyOf(event.topic, event.eventId), eventText(event, this.#currency));
    if (this.#texts.size <= GREATEST_COUNT) return;
    const oldest = this.#texts.keys().next();
    if (oldest.done !== true) this.#texts.delete(oldest.value);
  }

  /** null: forgotten, or never seen. */
  tell({ topic, eventId }: EventRef): string | null {
    if (topic === "referrals") return `${eventId.split("/")[0] ?? eventId} bought on its recommendation`;
    return this.#texts.get(keyOf(topic, eventId)) ?? null;
  }
}

function keyOf(topic: string, eventId: string): string {
  return `${topic}/${eventId}`;
}
