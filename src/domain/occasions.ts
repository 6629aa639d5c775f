import type { Calendar } from "./calendar.ts";

/**
 * Days with a standing order (S3.3), ascending. Columns instead of objects: the lapse formula runs over all of them with every
 * order, and a customer that has not been looked at for a while is not in the processor's cache.
 */
export class Occasions {
  /** The first order of each day. */
  readonly ats: number[] = [];
  /** The local month of each, as the calendar numbers it. */
  readonly months: number[] = [];

  get length(): number {
    return this.ats.length;
  }

  get firstAt(): number | null {
    return this.ats[0] ?? null;
  }

  get lastAt(): number | null {
    return this.ats[this.ats.length - 1] ?? null;
  }

  /** Index of the first one after an instant. */
  firstAfter(at: number): number {
    const { ats } = this;
    let low = 0;
    let high = ats.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ats[middle] ?? Infinity) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * An order stands at this instant.
   * @returns the index from which on the occasions are others; -1: the day had an earlier order
   */
  add(at: number, calendar: Calendar): number {
    const { ats, months } = this;
    const day = calendar.day(at);
    const next = this.#firstAfterFromEnd(at);
    const before = ats[next - 1];
    if (before !== undefined && calendar.day(before) === day) return -1;
    const after = ats[next];
    if (after === undefined) {
      ats.push(at);
      months.push(calendar.month(at));
    } else if (calendar.day(after) === day) ats[next] = at;
    else {
      ats.splice(next, 0, at);
      months.splice(next, 0, calendar.month(at));
    }
    return next;
  }

  /**
   * The first order of its day stands no longer.
   * @param successorAt the day's next order; null: there is none
   * @returns the index from which on the occasions are others; -1: it was not the first order of its day
   */
  remove(at: number, successorAt: number | null): number {
    const place = this.firstAfter(at) - 1;
    if (this.ats[place] !== at) return -1;
    if (successorAt !== null) this.ats[place] = successorAt;
    else {
      this.ats.splice(place, 1);
      this.months.splice(place, 1);
    }
    return place;
  }

  /** Orders come in time as a rule. */
  #firstAfterFromEnd(at: number): number {
    const last = this.lastAt;
    return last === null || last <= at ? this.ats.length : this.firstAfter(at);
  }
}
