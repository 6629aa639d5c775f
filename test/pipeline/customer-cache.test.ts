import { expect, test } from "vitest";
import { newCustomer, type Customer } from "../../src/domain/customer.ts";
import { CacheBudget, type CustomerCache } from "../../src/pipeline/customer-cache.ts";

const KIB = 1024;
/** What a customer without facts takes, and each of its orders. */
const CUSTOMER = 4 * KIB;
const ORDER = KIB / 2;
/** Where no customer counts for less than it takes. */
const ROOM = 16 * CUSTOMER;

function withOrders(customerId: string, count: number): Customer {
  const customer = newCustomer(customerId);
  for (let i = 0; i < count; i++) customer.addOrder(`${customerId}-${i}`);
  return customer;
}

function filled(cache: CustomerCache, ids: readonly string[], seq = 1): CustomerCache {
  for (const id of ids) cache.add(newCustomer(id), seq);
  return cache;
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${i}`);
}

function held(cache: CustomerCache, ids: readonly string[]): string[] {
  return ids.filter((id) => cache.get(id) !== undefined);
}

test("who has not been wanted for longest goes when the budget is used up", () => {
  const cache = filled(new CacheBudget(ROOM).open(), numbered("c", 16));
  cache.trim(1);
  expect(held(cache, numbered("c", 16))).toHaveLength(16);
  expect(cache.claim("c0", 2, false)).toBe(true);
  filled(cache, ["d"], 2);
  cache.trim(2);
  expect(held(cache, ["c0", "c1", "c2", "d"])).toEqual(["c0", "c2", "d"]);
  expect([cache.claim("c1", 3, false), cache.hits, cache.misses]).toEqual([false, 1, 1]);
});

test("customers weigh more the more facts they come to have", () => {
  const budget = new CacheBudget(16 * ROOM);
  const cache = budget.open();
  cache.add(withOrders("a", 2), 1);
  const growing = newCustomer("b");
  cache.add(growing, 1);
  expect(budget.used).toBe(2 * CUSTOMER + 2 * ORDER);
  for (let i = 0; i < 8; i++) growing.addOrder(`b-${i}`);
  cache.touch("b", 2);
  expect(budget.used).toBe(2 * CUSTOMER + 10 * ORDER);
  cache.replace(newCustomer("b"), 3);
  expect(budget.used).toBe(2 * CUSTOMER + 2 * ORDER);
});

test("a wholesaler weighs no more than a 16th, so that it need not be read again for each batch", () => {
  const budget = new CacheBudget(ROOM);
  const cache = filled(budget.open(), ["a"]);
  cache.add(withOrders("wholesaler", 50_000), 1);
  cache.trim(1);
  expect(held(cache, ["a", "wholesaler"])).toEqual(["a", "wholesaler"]);
  expect(budget.used).toBe(2 * CUSTOMER);
});

test("as long as the store has an older state of it, it stays, whoever wants the memory", () => {
  const budget = new CacheBudget(ROOM);
  const busy = filled(budget.open(), numbered("a", 12));
  const other = filled(budget.open(), numbered("b", 12));
  busy.trim(1);
  expect(held(busy, numbered("a", 12))).toEqual(numbered("a", 12).slice(4));
  busy.claim("a4", 2, false);
  filled(other, numbered("c", 5), 2);
  // The batch that has a4 is under way. The other one has less than its half that may go.
  other.trim(2);
  expect(held(busy, numbered("a", 12))).toEqual(["a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11"]);
  expect(budget.used).toBe(ROOM);
});

test("shards share the budget: each takes what the others leave, and no more than its part once it is short", () => {
  const budget = new CacheBudget(ROOM);
  const first = filled(budget.open(), numbered("a", 14));
  const second = filled(budget.open(), numbered("b", 2));
  first.trim(1);
  expect(held(first, numbered("a", 14))).toHaveLength(14);
  filled(second, numbered("c", 4));
  second.trim(1);
  expect(held(first, numbered("a", 14))).toHaveLength(10);
  expect(held(second, [...numbered("b", 2), ...numbered("c", 4)])).toHaveLength(6);
  filled(second, numbered("d", 12));
  second.trim(1);
  expect(
    [held(first, numbered("a", 14)), held(second, numbered("d", 12))].map(({ length }) => length),
  ).toEqual([8, 8]);
});

test("a shard that leaves gives back what it took", () => {
  const budget = new CacheBudget(ROOM);
  const stays = filled(budget.open(), numbered("a", 8));
  const leaves = filled(budget.open(), numbered("b", 8));
  leaves.close();
  expect(budget.used).toBe(8 * CUSTOMER);
  filled(stays, numbered("c", 8));
  stays.trim(1);
  expect(held(stays, [...numbered("a", 8), ...numbered("c", 8)])).toHaveLength(16);
});

test("who came for a sweep goes once its batch is committed, and drives nobody out", () => {
  const cache = filled(new CacheBudget(ROOM).open(), numbered("c", 16));
  for (const id of ["x", "y"]) cache.add(newCustomer(id), 2, true);
  cache.trim(2);
  expect(held(cache, [...numbered("c", 16), "x", "y"])).toEqual(numbered("c", 16));
});

test("who came for a sweep stays while the store has an older state of it", () => {
  const cache = new CacheBudget(ROOM).open();
  cache.add(newCustomer("x"), 2, true);
  cache.touch("x", 3);
  cache.trim(2);
  expect(held(cache, ["x"])).toEqual(["x"]);
  cache.trim(3);
  expect(held(cache, ["x"])).toEqual([]);
});

test("it stays as others do once a fact has asked for it", () => {
  const cache = new CacheBudget(ROOM).open();
  cache.add(newCustomer("x"), 2, true);
  cache.add(newCustomer("y"), 2, true);
  cache.claim("x", 2, false);
  cache.claim("y", 2, true);
  cache.trim(2);
  cache.trim(3);
  expect(held(cache, ["x", "y"])).toEqual(["x"]);
});
