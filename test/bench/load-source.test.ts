import { expect, test } from "vitest";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import { foldEvent } from "../../src/domain/fold.ts";
import type { SimulatedEvent } from "../../src/app/simulation/simulate.ts";
import { partitionOf } from "../../src/shared/murmur2.ts";
import { SHARDS } from "./fill-topics.ts";
import { POLICY } from "./folded.ts";
import { loadEvents } from "./load-source.ts";

const CUSTOMERS = 800;
const PER_SECOND = 4_000;
const EVENTS = 20 * CUSTOMERS;
/** Where none of a shard's events in a row has a change for less than a tenth of a second, nobody takes it for a pause. */
const UNNOTICED = PER_SECOND / 10;

test("each shard has something to publish all the time: a silence is the processors', never the load's", () => {
  const load = loadEvents({ kind: "orders", customers: CUSTOMERS }, 1_800_000_000_000, PER_SECOND);
  const folded = new Map<string, Customer>();
  const published = Array.from({ length: SHARDS }, () => 0);
  const silences: number[] = [];
  const publish = (shard: number, i: number): void => {
    silences.push(i - (published[shard] ?? NaN));
    published[shard] = i;
  };
  for (let i = 0; i < EVENTS; i++) {
    const { value: event } = load.next() as IteratorYieldResult<SimulatedEvent>;
    const customer = folded.get(event.customerId) ?? newCustomer(event.customerId);
    folded.set(event.customerId, customer);
    const outcome = foldEvent(customer, event, null, { policy: POLICY, quiet: false, forget: true });
    if (outcome.kind !== "folded") throw new Error(outcome.kind);
    if (outcome.outputs.length > 0) publish(partitionOf(Buffer.from(event.customerId, "utf8"), SHARDS), i);
  }
  for (let shard = 0; shard < SHARDS; shard++) publish(shard, EVENTS);
  expect(Math.max(...silences)).toBeLessThan(UNNOTICED);
});
