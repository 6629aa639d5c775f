/** S4: exactly one holds. */
export const STATUSES = ["ACTIVE", "INACTIVE", "POTENTIAL", "PROBABLE", "UNQUALIFIED"] as const;
export type Status = (typeof STATUSES)[number];

/** S6.1, from the lowest rung to the highest; the index is the rung's rank. */
export const STAGES = ["NONE", "PROSPECT", "TESTER", "BUYER", "ACCOUNT", "PATRON", "SPONSOR"] as const;
export type Stage = (typeof STAGES)[number];

/** S6.3. */
export const VALUES = ["A", "B", "C", "D", "NONE"] as const;
export type Value = (typeof VALUES)[number];

/** S6.4. */
export const ATTENTIONS = ["INVEST", "MAINTAIN", "REVIEW", "DIVEST"] as const;
export type Attention = (typeof ATTENTIONS)[number];

/** S6.5, in the sorted order in which a classification lists them. */
export const TAGS = ["ADVOCATE", "CURRENT", "DETRACTOR", "PROMOTER", "SEASONAL", "SLOW_PAYER"] as const;
export type Tag = (typeof TAGS)[number];

export const AXES = ["status", "stage", "value", "attention", "tags"] as const;
export type Axis = (typeof AXES)[number];

/** Where a customer stands at an instant (I3 *classification*). */
export interface Classification {
  readonly status: Status;
  readonly stage: Stage;
  readonly value: Value;
  readonly attention: Attention;
  /** Sorted, without duplicates. */
  readonly tags: readonly Tag[];
}
