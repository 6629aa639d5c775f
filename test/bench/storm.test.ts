import { expect, test } from "vitest";
import { newCustomer } from "../../src/domain/customer.ts";
import { nextDeadline } from "../../src/domain/fold.ts";
import { DAY_MS } from "../../src/shared/instant.ts";
import { fold, POLICY } from "./folded.ts";
import { orderOf } from "./orders.ts";
import { firstLapseMs } from "./storm.ts";
import { isOfStorm, StormWatch, stormCustomer } from "./storm-watch.ts";

const AT = Date.UTC(2026, 5, 1, 12);

function changeOf(key: string, at = AT) {
  return { key: Buffer.from(key), headers: { ce_time: new Date(at).toISOString() } };
}

test("who bought once, so long before, has the deadline at the instant", () => {
  const customer = newCustomer("s1");
  fold(customer, orderOf(1, "s1", AT - firstLapseMs()));
  expect(nextDeadline(customer, POLICY)).toBe(AT);
});

test("a storm is seen when each of its customers has changed once", () => {
  const watch = new StormWatch(3, AT);
  expect(isOfStorm(Buffer.from(stormCustomer(2)))).toBe(true);
  expect(isOfStorm(Buffer.from("c100000"))).toBe(false);
  watch.note([changeOf("s0"), changeOf("s2")]);
  expect(watch.count).toBe(2);
  expect(() => watch.result()).toThrow("2 of 3");
  watch.note([changeOf("s1")]);
  const { firstSeenAt, lastSeenAt } = watch.result();
  expect(lastSeenAt).toBeGreaterThanOrEqual(firstSeenAt);
});

test.each([
  ["comes twice", [changeOf("s0"), changeOf("s0")]],
  ["is of nobody who is in it", [changeOf("s3")]],
  ["is of another instant", [changeOf("s0", AT - DAY_MS)]],
])("a change that %s is no part of a storm", (_, records) => {
  const watch = new StormWatch(3, AT);
  watch.note(records);
  expect(() => watch.count).toThrow();
});
