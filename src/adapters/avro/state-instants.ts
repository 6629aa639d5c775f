import { instant, type Instant } from "../../shared/instant.ts";

/** Instants of one stored part, each as the difference from the one before: days apart take five bytes instead of six. */
export class Instants {
  #last = 0;

  write(at: number): number {
    const difference = at - this.#last;
    this.#last = at;
    return difference;
  }

  writeOptional(at: number | null): number | null {
    return at === null ? null : this.write(at);
  }

  read(difference: number): Instant {
    this.#last += difference;
    return instant(this.#last);
  }

  readOptional(difference: number | null): Instant | null {
    return difference === null ? null : this.read(difference);
  }
}
