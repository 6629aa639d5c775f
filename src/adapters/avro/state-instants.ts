import { instant, type Instant } from "../../shared/instant.ts";

/** Reads the instants of one stored part: each is the difference from the one before, so that days apart take five bytes instead of six. */
export class Instants {
  #last = 0;

  read(difference: number): Instant {
    this.#last += difference;
    return instant(this.#last);
  }

  readOptional(difference: number | null): Instant | null {
    return difference === null ? null : this.read(difference);
  }
}
