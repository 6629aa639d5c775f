import {
  NONE,
  type CustomerState,
  type InquiryFact,
  type OrderFact,
  type SurveyFact,
} from "./customer-state.ts";
import { FactIndex } from "./fact-index.ts";
import { resume } from "./history.ts";
import type { Policy } from "./policy.ts";
import { Walker } from "./walker.ts";

/** Orders in one part of the stored state (A7): a full page leaves the head. */
export const ORDERS_PER_PAGE = 16;
const NO_PAGES: ReadonlySet<number> = new Set();

const orderIdOf = ({ orderId }: OrderFact): string => orderId;
const inquiryIdOf = ({ inquiryId }: InquiryFact): string => inquiryId;
const surveyIdOf = ({ surveyId }: SurveyFact): string => surveyId;

/** The state of a customer of whom nothing is known. */
export function emptyState(customerId: string): CustomerState {
  return {
    customerId,
    orders: [],
    inquiries: [],
    surveys: [],
    register: [],
    referrals: [],
    newestAt: null,
    evaluatedAt: null,
    standing: null,
    base: null,
    published: null,
    erasedAt: null,
    tailPage: 0,
    firstPage: 0,
  };
}

/**
 * A customer in memory: the facts, and the fold standing where they were last evaluated. Owned by one shard and changed in
 * place by fold.ts; nobody else may hold on to it.
 */
export class Customer {
  readonly state: CustomerState;
  /** How many changes and tombstones the fold has come to while this customer was in memory, told or not. */
  changes = 0;
  /** While the newest fact is before this, none can be dropped as settled: spares a look at all of them (see retention.ts). */
  nothingSettledBefore = -Infinity;
  /**
   * What a codec remembers of the orders on the page that is or was last the tail, so that one more need not encode all again;
   * opaque here, and dropped when one of them changes other than by being new.
   */
  tailMemo: { readonly page: number } | null = null;
  /**
   * The same of all that is no order; dropped when an inquiry, survey, register record or referral is not what it was. An erasure
   * and a dropping of what is settled show in the state itself, in `erasedAt` and `base`.
   */
  restMemo: unknown = null;
  #walker: Walker | null = null;
  readonly #orders = new FactIndex(orderIdOf);
  readonly #inquiries = new FactIndex(inquiryIdOf);
  readonly #surveys = new FactIndex(surveyIdOf);
  #changedPages: Set<number> | null = null;
  #tailOrders: number;

  /** Orders on the tail page: the last of `state.orders`. */
  get tailOrders(): number {
    return this.#tailOrders;
  }

  constructor(state: CustomerState) {
    this.state = state;
    this.#tailOrders = state.orders.reduce((count, { page }) => count + (page === state.tailPage ? 1 : 0), 0);
  }

  /** The fold at `evaluatedAt`; made from the facts when there is none yet, or the policy is another. */
  walker(policy: Policy): Walker {
    if (this.#walker?.ledger.policy !== policy) this.#walker = resume(this.state, policy);
    return this.#walker;
  }

  /** Goes on from a re-fold. */
  continueWith(walker: Walker): void {
    this.#walker = walker;
  }

  /** Nothing worth storing is left: no facts, no erasure to remember. */
  get isEmpty(): boolean {
    return !this.hasFacts && this.state.erasedAt === null && this.state.published === null;
  }

  get hasFacts(): boolean {
    const { orders, inquiries, surveys, register, referrals, base } = this.state;
    return (
      orders.length > 0 ||
      inquiries.length > 0 ||
      surveys.length > 0 ||
      register.length > 0 ||
      referrals.length > 0 ||
      base !== null
    );
  }

  order(orderId: string): OrderFact | undefined {
    return this.#orders.find(this.state.orders, orderId);
  }

  inquiry(inquiryId: string): InquiryFact | undefined {
    return this.#inquiries.find(this.state.inquiries, inquiryId);
  }

  survey(surveyId: string): SurveyFact | undefined {
    return this.#surveys.find(this.state.surveys, surveyId);
  }

  addInquiry(inquiry: InquiryFact): void {
    this.#inquiries.add(this.state.inquiries, inquiry);
  }

  addSurvey(survey: SurveyFact): void {
    this.#surveys.add(this.state.surveys, survey);
  }

  /** Files a new order on the tail page; a full one leaves the head. */
  addOrder(orderId: string): OrderFact {
    const { state } = this;
    const order: OrderFact = {
      orderId,
      versions: NONE,
      paid: NONE,
      cancelled: NONE,
      refunds: NONE,
      page: state.tailPage,
    };
    this.#orders.add(state.orders, order);
    if (++this.#tailOrders === ORDERS_PER_PAGE) {
      this.#changedPages ??= new Set();
      this.#changedPages.add(state.tailPage++);
      this.#tailOrders = 0;
    }
    return order;
  }

  /** Keeps only these orders. */
  retainOrders(keep: (order: OrderFact) => boolean): void {
    const { state } = this;
    const kept: OrderFact[] = [];
    for (const order of state.orders) {
      if (keep(order)) kept.push(order);
      else {
        if (order.page === state.tailPage) this.#tailOrders--;
        this.markChanged(order.page);
      }
    }
    if (kept.length === state.orders.length) return;
    state.orders = kept;
    const used = kept.reduce((first, { page }) => Math.min(first, page), state.tailPage);
    state.firstPage = used;
  }

  /** An order of this page is not what it was. */
  markChanged(page: number): void {
    if (page === this.tailMemo?.page) this.tailMemo = null;
    if (page === this.state.tailPage) return;
    this.#changedPages ??= new Set();
    this.#changedPages.add(page);
  }

  /** Pages below the tail that differ from what is stored, since the last take; an empty one is to be deleted. */
  takeChangedPages(): ReadonlySet<number> {
    const changed = this.#changedPages;
    this.#changedPages = null;
    if (changed === null) return NO_PAGES;
    return changed;
  }
}

export function newCustomer(customerId: string): Customer {
  return new Customer(emptyState(customerId));
}

/** Takes a stored state over; it must not be used by anybody else from then on. */
export function loadCustomer(state: CustomerState, policy: Policy): Customer {
  const customer = new Customer(state);
  customer.walker(policy);
  return customer;
}
