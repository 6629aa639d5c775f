import { DAY_MS } from "../shared/instant.ts";
import type { Contribution } from "./contribution.ts";
import type { Ledger, LedgerListener } from "./ledger.ts";

export const YEAR_MS = 365 * DAY_MS;

/**
 * Sums over the facts of W(365) at an instant (S3.5, S3.7). Time moves it forward one exit at a time; facts that the ledger sees
 * are added and taken back as they come. A copy shares the ledger: a look ahead costs the sums, not the facts.
 */
export class Window implements LedgerListener {
  readonly ledger: Ledger;
  /** The instant T it stands at. */
  at: number;
  /** Index in `ledger.orders` of the first one inside the window. */
  #firstOrder = 0;
  #firstHandling = 0;
  /** Indices in `ledger.occasions` of the first one in W(365) and in W(730). */
  firstOccasion365 = 0;
  firstOccasion730 = 0;
  revenue = 0;
  orderCost = 0;
  handlingCost = 0;
  units = 0;
  /** Σ gross · milliseconds late, and Σ gross, over paid orders with terms (S3.7); exact. */
  lateProduct = 0n;
  lateWeight = 0;
  /** Categories that orders in the window name, and how many do. Lists, because a customer has few. */
  #categories: string[] = NO_CATEGORIES;
  #counts: number[] = NO_COUNTS;
  /** They are somebody else's: copied before the first one changes. Nobody moves the original while a copy looks ahead. */
  #sharesCategories = true;

  constructor(ledger: Ledger, at: number) {
    this.ledger = ledger;
    this.at = at;
  }

  /** Distinct categories, or null when no order in the window names one (S3.5). */
  get categories(): number | null {
    return this.#categories.length === 0 ? null : this.#categories.length;
  }

  copy(): Window {
    const copy = new Window(this.ledger, this.at);
    copy.#firstOrder = this.#firstOrder;
    copy.#firstHandling = this.#firstHandling;
    copy.firstOccasion365 = this.firstOccasion365;
    copy.firstOccasion730 = this.firstOccasion730;
    copy.revenue = this.revenue;
    copy.orderCost = this.orderCost;
    copy.handlingCost = this.handlingCost;
    copy.units = this.units;
    copy.lateProduct = this.lateProduct;
    copy.lateWeight = this.lateWeight;
    copy.#categories = this.#categories;
    copy.#counts = this.#counts;
    return copy;
  }

  /** Lets time pass: what is 365 days old or older leaves. */
  moveTo(at: number): void {
    this.at = at;
    const from = at - YEAR_MS;
    const { orders, handlings } = this.ledger;
    const { ats } = this.ledger.occasions;
    while ((ats[this.firstOccasion365] ?? Infinity) <= from) this.firstOccasion365++;
    while ((ats[this.firstOccasion730] ?? Infinity) <= from - YEAR_MS) this.firstOccasion730++;
    for (;;) {
      const order = orders[this.#firstOrder];
      if (order === undefined || order.at > from) break;
      this.#take(order, -1);
      this.#firstOrder++;
    }
    for (;;) {
      const handling = handlings[this.#firstHandling];
      if (handling === undefined || handling.at > from) break;
      this.handlingCost -= handling.cost;
      this.#firstHandling++;
    }
  }

  /** When the first of the orders inside leaves; Infinity: none is inside. */
  get orderExitAt(): number {
    const order = this.ledger.orders[this.#firstOrder];
    return order === undefined ? Infinity : order.at + YEAR_MS;
  }

  /** When the first inquiry that cost something leaves; Infinity: none. */
  get costExitAt(): number {
    const handling = this.ledger.handlings[this.#firstHandling];
    return handling === undefined ? Infinity : handling.at + YEAR_MS;
  }

  occasionsChanged(index: number, at: number): void {
    const from = this.at - YEAR_MS;
    // An order in time makes the last occasion: nothing before it moves.
    if (at > from && index >= this.firstOccasion365) return;
    const { occasions } = this.ledger;
    this.firstOccasion365 = occasions.firstAfter(from);
    this.firstOccasion730 = occasions.firstAfter(from - YEAR_MS);
  }

  orderAdded(_index: number, order: Contribution): void {
    if (order.at > this.at - YEAR_MS) this.#take(order, 1);
    else this.#firstOrder++;
  }

  orderRemoved(index: number, order: Contribution): void {
    if (index >= this.#firstOrder) this.#take(order, -1);
    else this.#firstOrder--;
  }

  handlingAdded(_index: number, handling: { readonly at: number; readonly cost: number }): void {
    if (handling.at > this.at - YEAR_MS) this.handlingCost += handling.cost;
    else this.#firstHandling++;
  }

  handlingRemoved(index: number, handling: { readonly at: number; readonly cost: number }): void {
    if (index >= this.#firstHandling) this.handlingCost -= handling.cost;
    else this.#firstHandling--;
  }

  #take(order: Contribution, sign: 1 | -1): void {
    this.revenue += sign * order.net;
    this.orderCost += sign * order.cost;
    this.units += sign * order.units;
    if (order.lateMs !== null) {
      this.lateWeight += sign * order.gross;
      if (order.lateMs > 0) {
        const product = BigInt(order.gross) * BigInt(order.lateMs);
        this.lateProduct += sign === 1 ? product : -product;
      }
    }
    if (order.categories.length === 0) return;
    this.#ownCategories();
    const { categories } = order;
    for (let i = 0; i < categories.length; i++) {
      const category = categories[i];
      // An order counts a category once.
      if (category !== undefined && categories.indexOf(category) === i) this.#countCategory(category, sign);
    }
  }

  #countCategory(category: string, sign: 1 | -1): void {
    const index = this.#categories.indexOf(category);
    if (index < 0) {
      this.#categories.push(category);
      this.#counts.push(sign);
      return;
    }
    const count = (this.#counts[index] ?? 0) + sign;
    if (count === 0) {
      this.#categories.splice(index, 1);
      this.#counts.splice(index, 1);
    } else this.#counts[index] = count;
  }

  #ownCategories(): void {
    if (!this.#sharesCategories) return;
    this.#categories = [...this.#categories];
    this.#counts = [...this.#counts];
    this.#sharesCategories = false;
  }
}

const NO_CATEGORIES: string[] = [];
const NO_COUNTS: number[] = [];
