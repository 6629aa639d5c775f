import type { Stage } from "./classification.ts";

interface HysteresisFile {
  readonly enter?: number;
  readonly hold?: number;
}

/** One profile of a policy file (I4): durations in days, money in minor units of the base currency. */
export interface ProfileFile {
  readonly name: string;
  readonly match?: Readonly<Record<string, readonly string[]>>;
  readonly lapse?: {
    readonly factor?: number;
    readonly priorGapDays?: number;
    readonly priorWeight?: number;
    readonly minDays?: number;
    readonly maxDays?: number;
    readonly firstDays?: number;
  };
  readonly interestDays?: number;
  readonly surveyDays?: number;
  readonly fitThreshold?: number;
  readonly idealCustomer?: readonly {
    readonly attribute: string;
    readonly anyOf: readonly string[];
    readonly weight: number;
  }[];
  readonly payment?: { readonly slowDays?: number; readonly badDays?: number; readonly overdueDays?: number };
  readonly account?: {
    readonly occasions?: HysteresisFile;
    readonly spanDays?: HysteresisFile;
    readonly categories?: HysteresisFile;
  };
  readonly patron?: { readonly revenueMinor?: HysteresisFile; readonly tenureDays?: number };
  readonly value?: { readonly aMinor?: number; readonly bMinor?: number };
  readonly levers?: Readonly<Partial<Record<Stage, string>>>;
}

/** A policy file after its schema has been checked (schemas/policy.schema.json). */
export interface PolicyFile {
  readonly version: string;
  readonly timezone?: string;
  readonly baseCurrency?: string;
  readonly horizonDays?: number;
  readonly erasureMarkerDays?: number;
  readonly liveWithinHours?: number;
  readonly rates?: Readonly<Record<string, readonly { readonly from: string; readonly rate: number }[]>>;
  readonly profiles?: readonly ProfileFile[];
}
