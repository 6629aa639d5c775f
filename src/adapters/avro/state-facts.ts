import type {
  Closing,
  CustomerState,
  OrderFact,
  OrderVersion,
  RefundFact,
} from "../../domain/customer-state.ts";
import { INQUIRY_KINDS } from "../../domain/events.ts";
import type { Instants } from "./state-instants.ts";

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
  readonly extras: null | {
    readonly revision: number;
    readonly currency: string | null;
    readonly categories: readonly string[];
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
      readonly currency: string | null;
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

function writeId(eventId: string, factId: string): StoredId {
  const most = Math.min(eventId.length, factId.length);
  let shared = 0;
  while (
    shared < most &&
    eventId.charCodeAt(eventId.length - 1 - shared) === factId.charCodeAt(factId.length - 1 - shared)
  ) {
    shared++;
  }
  // Half a surrogate pair is not a text: it would not survive UTF-8.
  const cut = eventId.charCodeAt(eventId.length - shared);
  if (shared > 0 && cut >= 0xdc00 && cut <= 0xdfff) shared--;
  return { shared, start: eventId.slice(0, eventId.length - shared) };
}

function readId({ shared, start }: StoredId, factId: string): string {
  return shared === 0 ? start : start + factId.slice(factId.length - shared);
}

export function writeOrders(orders: readonly OrderFact[], instants: Instants): StoredOrder[] {
  return orders.map(({ orderId, versions, paid, cancelled, refunds }) => ({
    orderId,
    versions: versions.map((version) => writeVersion(version, orderId, instants)),
    closings:
      paid.length + cancelled.length + refunds.length === 0
        ? null
        : {
            paid: writeClosings(paid, orderId, instants),
            cancelled: writeClosings(cancelled, orderId, instants),
            refunds: refunds.map(({ refundId, versions }) => ({
              refundId,
              versions: versions.map(({ at, revision, eventId, amountMinor }) => ({
                at: instants.write(at),
                revision,
                eventId: writeId(eventId, orderId),
                amountMinor,
              })),
            })),
          },
  }));
}

function writeVersion(version: OrderVersion, orderId: string, instants: Instants): StoredVersion {
  const { at, revision, eventId, amountMinor, currency, costMinor, units, categories, dueAt, referredBy } =
    version;
  const isPlain =
    revision === 0 && currency === null && categories.length === 0 && dueAt === null && referredBy === null;
  const stored = {
    at: instants.write(at),
    eventId: writeId(eventId, orderId),
    amountMinor,
    costMinor,
    units,
  };
  if (isPlain) return { ...stored, extras: null };
  return {
    ...stored,
    extras: { revision, currency, categories, dueAt: dueAt === null ? null : dueAt - at, referredBy },
  };
}

function writeClosings(closings: readonly Closing[], orderId: string, instants: Instants): StoredClosing[] {
  return closings.map(({ at, eventId }) => ({ at: instants.write(at), eventId: writeId(eventId, orderId) }));
}

export function readOrders(orders: readonly StoredOrder[], page: number, instants: Instants): OrderFact[] {
  return orders.map(({ orderId, versions, closings }) => ({
    orderId,
    versions: versions.map((version) => readVersion(version, orderId, instants)),
    paid: closings === null ? [] : readClosings(closings.paid, orderId, instants),
    cancelled: closings === null ? [] : readClosings(closings.cancelled, orderId, instants),
    refunds:
      closings === null
        ? []
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

function readVersion(stored: StoredVersion, orderId: string, instants: Instants): OrderVersion {
  const at = instants.read(stored.at);
  const { extras } = stored;
  const dueAt = extras?.dueAt ?? null;
  return {
    at,
    revision: extras?.revision ?? 0,
    eventId: readId(stored.eventId, orderId),
    amountMinor: stored.amountMinor,
    currency: extras?.currency ?? null,
    costMinor: stored.costMinor,
    units: stored.units,
    categories: extras?.categories ?? [],
    dueAt: dueAt === null ? null : ((at + dueAt) as typeof at),
    referredBy: extras?.referredBy ?? null,
  };
}

function readClosings(closings: readonly StoredClosing[], orderId: string, instants: Instants): Closing[] {
  return closings.map(({ at, eventId }) => ({ at: instants.read(at), eventId: readId(eventId, orderId) }));
}

/** Everything but orders; null when there is nothing else. */
export function writeOthers(state: CustomerState, instants: Instants): StoredOthers | null {
  const { inquiries, surveys, register, referrals } = state;
  if (inquiries.length + surveys.length + register.length + referrals.length === 0) return null;
  return {
    inquiries: inquiries.map(({ inquiryId, versions }) => ({
      inquiryId,
      versions: versions.map(({ at, revision, eventId, kind, handlingCostMinor, currency }) => ({
        at: instants.write(at),
        revision,
        eventId: writeId(eventId, inquiryId),
        kind: INQUIRY_KINDS.indexOf(kind),
        handlingCostMinor,
        currency,
      })),
    })),
    surveys: surveys.map(({ surveyId, versions }) => ({
      surveyId,
      versions: versions.map(({ at, revision, eventId, score }) => ({
        at: instants.write(at),
        revision,
        eventId: writeId(eventId, surveyId),
        score,
      })),
    })),
    register: register.map(({ at, eventId, source, attributes }) => ({
      at: instants.write(at),
      eventId,
      source,
      attributes: attributes.map(([name, value]) => ({ name, value })),
    })),
    referrals: referrals.map(({ referredId, orderId, version, spans }) => ({
      referredId,
      orderId,
      version,
      spans: spans.map(({ at, from, until }) => ({
        at: instants.write(at),
        from: instants.write(from),
        until: instants.writeOptional(until),
      })),
    })),
  };
}

export function readOthers(
  stored: StoredOthers | null,
  instants: Instants,
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
        currency,
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
