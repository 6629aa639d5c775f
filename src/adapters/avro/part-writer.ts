import { AvroSink } from "./avro-sink.ts";
import { GREATEST_TEXTS } from "./state-schema.ts";

/** Branches of a union that begins with null, and the end of an array's blocks, as Avro encodes them. */
export const NULL = 0;
export const FIRST_BRANCH = 2;
export const SECOND_BRANCH = 4;
export const END = 0;

/**
 * Writes what stands in every part of a state as `state-schema.ts` says: instants as differences, texts that come again as
 * places, ids by what they do not share. A section is what begins anew with both, so that it can be kept as bytes.
 */
export class PartWriter {
  readonly sink = new AvroSink();
  /** The texts of the section so far that have a place. */
  texts: string[] = [];
  /** The instant written last: each is stored as the difference from the one before. */
  last = 0;

  beginSection(): void {
    this.last = 0;
    this.texts = [];
  }

  instant(at: number): void {
    this.sink.int(at - this.last);
    this.last = at;
  }

  optionalInstant(at: number | null): void {
    if (at === null) {
      this.sink.byte(NULL);
      return;
    }
    this.sink.byte(FIRST_BRANCH);
    this.instant(at);
  }

  optionalText(text: string | null): void {
    if (text === null) {
      this.sink.byte(NULL);
      return;
    }
    this.sink.byte(FIRST_BRANCH);
    this.sink.text(text);
  }

  optionalShared(text: string | null): void {
    if (text === null) this.sink.byte(NULL);
    else this.shared(text, FIRST_BRANCH);
  }

  /** A text, or its place when it was written before; `branch`: that of the text, the place's is the next. */
  shared(text: string, branch: number): void {
    const texts = this.texts;
    const index = texts.indexOf(text);
    if (index >= 0) {
      this.sink.byte(branch + 2);
      this.sink.int(index);
      return;
    }
    if (texts.length < GREATEST_TEXTS) texts.push(text);
    this.sink.byte(branch);
    this.sink.text(text);
  }

  /** An event id as how much of its end it shares with its fact's id, and its own start. */
  eventId(eventId: string, factId: string): void {
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
    this.sink.int(shared);
    this.sink.text(shared === 0 ? eventId : eventId.slice(0, eventId.length - shared));
  }
}
