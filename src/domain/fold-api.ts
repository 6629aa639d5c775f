import type { ChangeDraft } from "./change.ts";
import type { DeadLetterReason, Referral, SkipReason } from "./events.ts";
import type { Policy } from "./policy.ts";

/** How a fold runs. */
export interface FoldOptions {
  readonly policy: Policy;
  /**
   * A silent re-fold (A4): no drafts are made (no reasons, facts, next); `published` becomes the classification reached.
   * Otherwise every difference from `published` yields a draft and `published` follows it.
   */
  readonly quiet: boolean;
  /** With `quiet`, where none of the customer's changes is ever told, nor its state kept: they get no ids, only counted. */
  readonly anonymous?: boolean;
  /** Drop details that are settled and out of every window's reach (S2.4). `false` keeps all, for a timeline from scratch. */
  readonly forget: boolean;
}

/** A change to publish, or `null`: a tombstone (S2.5). */
export type FoldOutput = ChangeDraft | null;

/** What the shard of the referrer must be told; the pipeline adds the version (A6). */
export type ReferralUpdate = Omit<Referral, "version">;

/** What an event came to in the fold. */
export type FoldOutcome =
  | {
      readonly kind: "folded";
      /** In the order in which they are published. */
      readonly outputs: readonly FoldOutput[];
      readonly referrals: readonly ReferralUpdate[];
    }
  | { readonly kind: "skip"; readonly reason: SkipReason }
  | { readonly kind: "dead_letter"; readonly reason: DeadLetterReason; readonly detail: string };
