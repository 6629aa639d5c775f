import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { orderOf } from "./orders.ts";

/** The past that customers have before anything is measured: so many orders each, in turn, evenly over the time. */
export interface Past {
  readonly customers: number;
  readonly ordersEach: number;
  readonly days: number;
}

/** When a past ends, and how long a round of the bursts after it is in event time. */
export interface History extends Past {
  /** ms since the epoch. */
  readonly endAt: number;
  readonly roundMs: number;
}

/** What comes after a history; the numbers go on from burst to burst. */
export interface Burst {
  readonly history: History;
  readonly first: number;
  readonly events: number;
}

/** Nobody who comes in every round lapses sooner than 30 days after the last (S5.3: Lmin): bursts end in the present before that. */
const GREATEST_BURST_MS = 25 * DAY_MS;
/** Every so many-th event of a customer is a survey. */
const SURVEY_EVERY = 4;
const SCATTER = 7_919;

/** The history of which bursts of so many events in all end a day before now: a day a round where they fit, so that each is an occasion. */
export function historyUpToNow(past: Past, burstEvents: number): History {
  const rounds = Math.ceil(burstEvents / past.customers);
  const roundMs = Math.min(DAY_MS, GREATEST_BURST_MS / rounds);
  return { ...past, endAt: Date.now() - DAY_MS - rounds * roundMs, roundMs };
}

export function* historyEvents({ customers, ordersEach, days, endAt }: History): Generator<SimulatedEvent> {
  const orders = customers * ordersEach;
  const startAt = endAt - days * DAY_MS;
  const stepMs = (days * DAY_MS) / orders;
  for (let i = 0; i < orders; i++) yield plainOrder(i, i % customers, startAt + i * stepMs);
}

/**
 * Events in rounds: each customer once in a round, scattered. Three of four are orders that change no classification: costs as high
 * as the revenue, no stage beyond BUYER in so short a time. The fourth is a survey that always does, because a customer's scores
 * are best and worst by turns. So an event is as much work whatever the number of customers.
 */
export function* burstEvents({ history, first, events }: Burst): Generator<SimulatedEvent> {
  const { customers, ordersEach, endAt, roundMs } = history;
  const stride = coprimeTo(customers);
  const orders = customers * ordersEach;
  for (let i = first; i < first + events; i++) {
    const customer = ((i % customers) * stride) % customers;
    const turn = Math.floor(i / customers) + customer;
    const occurredAt = endAt + (i * roundMs) / customers;
    yield turn % SURVEY_EVERY === 0
      ? survey(i, customer, occurredAt, (turn / SURVEY_EVERY) % 2 === 0 ? 10 : 0)
      : plainOrder(orders + i, customer, occurredAt);
  }
}

/** A step by which counting on comes to everyone once in each round. */
function coprimeTo(customers: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let stride = SCATTER;
  while (divisor(stride, customers) !== 1) stride++;
  return stride;
}

function plainOrder(i: number, customer: number, occurredAt: number): SimulatedEvent {
  const order = orderOf(i, `c${customer}`, occurredAt);
  return order.kind === "PLACED" ? { ...order, costMinor: order.amountMinor } : order;
}

function survey(i: number, customer: number, occurredAt: number, score: number): SimulatedEvent {
  return {
    topic: "surveys",
    eventId: `s${i}`,
    customerId: `c${customer}`,
    occurredAt: instant(Math.floor(occurredAt)),
    surveyId: `s${i}`,
    score,
    scaleMin: 0,
    scaleMax: 10,
    revision: 0,
  };
}
