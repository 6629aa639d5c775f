import { expect, test } from "vitest";
import { newCustomer } from "../../src/domain/customer.ts";
import { CustomerCache } from "../../src/pipeline/customer-cache.ts";

function filled(limit: number, ids: readonly string[]): CustomerCache {
  const cache = new CustomerCache(limit);
  for (const id of ids) cache.add(newCustomer(id), 1);
  return cache;
}

function held(cache: CustomerCache, ids: readonly string[]): string[] {
  return ids.filter((id) => cache.peek(id) !== undefined);
}

test("who came for a sweep goes once its batch is committed, and drives nobody out", () => {
  const cache = filled(4, ["a", "b", "c", "d"]);
  for (const id of ["x", "y"]) cache.add(newCustomer(id), 2, true);
  cache.trim(2);
  expect(held(cache, ["a", "b", "c", "d", "x", "y"])).toEqual(["a", "b", "c", "d"]);
  // What has gone weighs nothing any more.
  cache.add(newCustomer("e"), 2);
  cache.trim(2);
  expect(held(cache, ["a", "b", "c", "d", "e"])).toEqual(["b", "c", "d", "e"]);
});

test("as long as the store has an older state of it, it stays", () => {
  const cache = filled(4, []);
  cache.add(newCustomer("x"), 2, true);
  cache.touch("x", 3);
  cache.trim(2);
  expect(held(cache, ["x"])).toEqual(["x"]);
  cache.trim(3);
  expect(held(cache, ["x"])).toEqual([]);
});

test("it stays as others do once somebody else has asked for it", () => {
  const cache = filled(4, []);
  cache.add(newCustomer("x"), 2, true);
  cache.keep("x");
  cache.trim(2);
  cache.trim(3);
  expect(held(cache, ["x"])).toEqual(["x"]);
});
