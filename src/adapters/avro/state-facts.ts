import {
  NONE,
  type Closing,
  type CustomerState,
  type OrderFact,
  type OrderVersion,
  type RefundFact,
} from "../../domain/customer-state.ts";
import { INQUIRY_KINDS } from "../../domain/events.ts";
import { internedList, internedText } from "../../domain/interned.ts";
import type { Instants } from "./state-instants.ts";
import { GREATEST_TEXTS } from "./state-schema.ts";

/** A text, or its place among the part's texts so far. */
type SharedText = string | number;

/** An event id as what it shares with the end of its fact's id, and its own start. */
interface StoredId {
  readonly shared: number;
  readonly start: string;
}

interface StoredClosing {
  readonly at: number;
  readonly eventId: StoredId;
}

interface StoredVersion {
  readonly at: number;
  readonly eventId: StoredId;
  readonly amountMinor: number;
  readonly costMinor: number;
  readonly units: number;
  readonly currency: SharedText | null;
  readonly extras: null | {
    readonly revision: number;
    readonly categories: readonly SharedText[];
    readonly dueAt: number | null;
    readonly referredBy: string | null;
  };
}

export interface StoredOrder {
  readonly orderId: string;
  readonly versions: readonly StoredVersion[];
  readonly closings: null | {
    readonly paid: readonly StoredClosing[];
    readonly cancelled: readonly StoredClosing[];
    readonly refunds: readonly {
      readonly refundId: string;
      readonly versions: readonly {
        readonly at: number;
        readonly revision: number;
        readonly eventId: StoredId;
        readonly amountMinor: number;
      }[];
    }[];
  };
}

export interface StoredOthers {
  readonly inquiries: readonly {
    readonly inquiryId: string;
    readonly versions: readonly {
      readonly at: number;
      readonly revision: number;
      readonly eventId: StoredId;
      readonly kind: number;
      readonly handlingCostMinor: number;
      readonly currency: SharedText | null;
    }[];
  }[];
  readonly surveys: readonly {
    readonly surveyId: string;
    readonly versions: readonly {
      readonly at: number;
      readonly revision: number;
      readonly eventId: StoredId;
      readonly score: number;
    }[];
  }[];
  readonly register: readonly {
    readonly at: number;
    readonly eventId: string;
    readonly source: string;
    readonly attributes: readonly { readonly name: string; readonly value: string | null }[];
  }[];
  readonly referrals: readonly {
    readonly referredId: string;
    readonly orderId: string;
    readonly version: number;
    readonly spans: readonly { readonly at: number; readonly from: number; readonly until: number | null }[];
  }[];
}

function readId({ shared, start }: StoredId, factId: string): string {
  return shared === 0 ? start : start + factId.slice(factId.length - shared);
}

function readShared(shared: SharedText, texts: string[]): string {
  if (typeof shared === "string") {
    const text = internedText(shared);
    if (texts.length < GREATEST_TEXTS) texts.push(text);
    return text;
  }
  const text = texts[shared];
  if (text === undefined)
    throw new Error(`a state part names text ${shared}, of which it has ${texts.length}`);
  return text;
}

export function readOrders(
  orders: readonly StoredOrder[],
  page: number,
  instants: Instants,
  texts: string[],
): OrderFact[] {
  return orders.map(({ orderId, versions, closings }) => ({
    orderId,
    versions: versions.map((version) => readVersion(version, orderId, instants, texts)),
    paid: closings === null ? NONE : readClosings(closings.paid, orderId, instants),
    cancelled: closings === null ? NONE : readClosings(closings.cancelled, orderId, instants),
    refunds:
      closings === null
        ? NONE
        : closings.refunds.map(({ refundId, versions }): RefundFact => ({
            refundId,
            versions: versions.map(({ at, revision, eventId, amountMinor }) => ({
              at: instants.read(at),
              revision,
              eventId: readId(eventId, orderId),
              amountMinor,
            })),
          })),
    page,
  }));
}

function readVersion(
  stored: StoredVersion,
  orderId: string,
  instants: Instants,
  texts: string[],
): OrderVersion {
  const at = instants.read(stored.at);
  const { currency, extras } = stored;
  const dueAt = extras?.dueAt ?? null;
  return {
    at,
    revision: extras?.revision ?? 0,
    eventId: readId(stored.eventId, orderId),
    amountMinor: stored.amountMinor,
    currency: currency === null ? null : readShared(currency, texts),
    costMinor: stored.costMinor,
    units: stored.units,
    categories:
      extras === null ? NONE : internedList(extras.categories.map((shared) => readShared(shared, texts))),
    dueAt: dueAt === null ? null : ((at + dueAt) as typeof at),
    referredBy: extras?.referredBy ?? null,
  };
}

function readClosings(
  closings: readonly StoredClosing[],
  orderId: string,
  instants: Instants,
): readonly Closing[] {
  if (closings.length === 0) return NONE;
  return closings.map(({ at, eventId }) => ({ at: instants.read(at), eventId: readId(eventId, orderId) }));
}

/** Everything but orders. */
export function readOthers(
  stored: StoredOthers | null,
  instants: Instants,
  texts: string[],
): Pick<CustomerState, "inquiries" | "surveys" | "register" | "referrals"> {
  if (stored === null) return { inquiries: [], surveys: [], register: [], referrals: [] };
  return {
    inquiries: stored.inquiries.map(({ inquiryId, versions }) => ({
      inquiryId,
      versions: versions.map(({ at, revision, eventId, kind, handlingCostMinor, currency }) => ({
        at: instants.read(at),
        revision,
        eventId: readId(eventId, inquiryId),
        kind: INQUIRY_KINDS[kind] ?? "SUPPORT",
        handlingCostMinor,
        currency: currency === null ? null : readShared(currency, texts),
      })),
    })),
    surveys: stored.surveys.map(({ surveyId, versions }) => ({
      surveyId,
      versions: versions.map(({ at, revision, eventId, score }) => ({
        at: instants.read(at),
        revision,
        eventId: readId(eventId, surveyId),
        score,
      })),
    })),
    register: stored.register.map(({ at, eventId, source, attributes }) => ({
      at: instants.read(at),
      eventId,
      source,
      attributes: attributes.map(({ name, value }) => [name, value] as const),
    })),
    referrals: stored.referrals.map(({ referredId, orderId, version, spans }) => ({
      referredId,
      orderId,
      version,
      spans: spans.map(({ at, from, until }) => ({
        at: instants.read(at),
        from: instants.read(from),
        until: instants.readOptional(until),
      })),
    })),
  };
}
