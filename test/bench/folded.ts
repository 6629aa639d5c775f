import { createStateCodec } from "../../src/adapters/avro/state-codec.ts";
import { benchEvents } from "../../src/app/simulation/bench-events.ts";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import type { CustomerEvent } from "../../src/domain/events.ts";
import { foldEvent, nextDeadline } from "../../src/domain/fold.ts";
import type { CustomerWrite } from "../../src/pipeline/ports.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { testPolicy } from "../policy.ts";
import { orderOf } from "./orders.ts";

export const POLICY = testPolicy();
export const CODEC = createStateCodec();
const START = instant(Date.UTC(2022, 0, 1));
const YEARS = 3;
export const END = instant(START + YEARS * 365 * DAY_MS);
const OPTIONS = { policy: POLICY, quiet: true, forget: true };

/** So many events of each customer, of the mix and over the three years of all benchmarks. */
export function mixOf(customers: number, eventsEach: number): Iterable<CustomerEvent> {
  return benchEvents({ seed: 7, customers, events: customers * eventsEach, startAt: START, years: YEARS });
}

/** The same of plain orders. */
export function* ordersOf(customers: number, ordersEach: number): Iterable<CustomerEvent> {
  const orders = customers * ordersEach;
  const stepMs = (END - START) / orders;
  for (let i = 0; i < orders; i++) yield orderOf(i, `c${100_000 + (i % customers)}`, START + i * stepMs);
}

export function foldedCustomers(events: Iterable<CustomerEvent>): Map<string, Customer> {
  const folded = new Map<string, Customer>();
  for (const event of events) {
    const { customerId } = event;
    let customer = folded.get(customerId);
    if (customer === undefined) folded.set(customerId, (customer = newCustomer(customerId)));
    fold(customer, event);
  }
  return folded;
}

export function fold(customer: Customer, event: CustomerEvent): void {
  foldEvent(customer, event, null, OPTIONS);
}

export function writeOf(customer: Customer): CustomerWrite {
  const { customerId } = customer.state;
  return { customerId, ...CODEC.encode(customer), deadlineAt: nextDeadline(customer, POLICY) };
}
