import { newCustomer, type Customer } from "../../../src/domain/customer.ts";
import type { ChangeDraft, SegmentChange } from "../../../src/domain/change.ts";
import type { CustomerEvent } from "../../../src/domain/events.ts";
import { advance, foldEvent, nextDeadline } from "../../../src/domain/fold.ts";
import type { FoldOptions } from "../../../src/domain/fold-api.ts";
import type { Instant } from "../../../src/shared/instant.ts";
import type { DemoDependencies } from "../../../src/app/demo/dependencies.ts";

/** The least engine that keeps S7: the real fold, a map of customers, no log and no store. Counts what it was asked. */
export function foldEngine(): DemoDependencies & { readonly calls: { settles: number; stops: number } } {
  const calls = { settles: 0, stops: 0 };
  return {
    calls,
    start: ({ policy, clock, onCommitted }) => {
      const options: FoldOptions = { policy, quiet: false, forget: true };
      const customers = new Map<string, Customer>();
      let queue: CustomerEvent[] = [];
      let seq = 0;
      let through: Instant | null = null;
      let changes: { customerId: string; change: SegmentChange | null }[] = [];
      const publish = (customerId: string, outputs: readonly (ChangeDraft | null)[]): void => {
        for (const draft of outputs) {
          const change: SegmentChange | null =
            draft === null
              ? null
              : {
                  ...draft,
                  seq: ++seq,
                  decidedAt: clock.now(),
                  policy: { version: policy.version, hash: policy.hash },
                  origin: "LIVE",
                };
          changes.push({ customerId, change });
        }
      };
      const fold = (event: CustomerEvent): void => {
        let customer = customers.get(event.customerId);
        if (customer === undefined)
          customers.set(event.customerId, (customer = newCustomer(event.customerId)));
        const outcome = foldEvent(customer, event, through, options);
        if (outcome.kind === "dead_letter") throw new Error(`${outcome.reason}: ${outcome.detail}`);
        if (outcome.kind === "skip") return;
        publish(event.customerId, outcome.outputs);
        for (const referral of outcome.referrals) fold({ ...referral, version: ++seq });
      };
      return Promise.resolve({
        append: (records) => {
          queue.push(...records);
          return Promise.resolve();
        },
        settle: () => {
          calls.settles++;
          const taken = queue;
          queue = [];
          for (const event of taken) fold(event);
          for (const [customerId, customer] of customers) {
            const dueAt = nextDeadline(customer, policy);
            if (dueAt !== null && dueAt <= clock.now())
              publish(customerId, advance(customer, clock.now(), options));
          }
          through = clock.now();
          if (changes.length > 0) onCommitted({ changes, segments: [], referrals: [], deadLetters: [] });
          changes = [];
          return Promise.resolve();
        },
        customer: (customerId) => Promise.resolve(customers.get(customerId) ?? null),
        stop: () => {
          calls.stops++;
          return Promise.resolve();
        },
      });
    },
  };
}
