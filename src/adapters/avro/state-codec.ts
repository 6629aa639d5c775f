import { stringify as stringifyUuid } from "uuid";
import {
  ATTENTIONS,
  STAGES,
  STATUSES,
  TAGS,
  VALUES,
  type Classification,
} from "../../domain/classification.ts";
import { CAUSE_KINDS, DEADLINES } from "../../domain/change.ts";
import { FACT_TOPICS } from "../../domain/events.ts";
import type { Customer } from "../../domain/customer.ts";
import type { Base, CustomerState, OrderFact, Standing } from "../../domain/customer-state.ts";
import type { CustomerWrite, StateCodec, StoredCustomer } from "../../pipeline/ports.ts";
import { readOrders, readOthers, type StoredOrder, type StoredOthers } from "./state-facts.ts";
import { Instants } from "./state-instants.ts";
import { HEAD_TYPE, PAGE_TYPE, STATE_VERSION } from "./state-schema.ts";
import { StateWriter, type RestMemo, type TailMemo } from "./state-writer.ts";

interface StoredClassification {
  readonly status: number;
  readonly stage: number;
  readonly value: number;
  readonly attention: number;
  readonly tags: number;
}

interface StoredStanding {
  readonly classification: StoredClassification;
  readonly since: number;
  readonly cause: number;
  readonly ref: null | { readonly topic: number; readonly eventId: string } | number;
  readonly accountSince: number | null;
}

interface StoredHead {
  readonly firstPage: number;
  readonly tailPage: number;
  readonly others: StoredOthers | null;
  readonly standing: StoredStanding | null;
  readonly published: {
    readonly changeId: Uint8Array;
    readonly classification: StoredClassification | null;
  } | null;
  readonly base: {
    readonly at: number;
    readonly standing: StoredStanding | null;
    readonly occasionsDropped: number;
    readonly firstOccasionAt: number | null;
  } | null;
  readonly erasedAt: number | null;
  readonly orders: readonly StoredOrder[];
  readonly evaluatedAt: number | null;
  readonly newestAt: number | null;
}

/**
 * States as compact Avro, one byte of schema version before each part (A7). Measured with six ordinary orders and short ids:
 * see test/adapters/avro/state-codec.test.ts, which holds the bound.
 */
export function createStateCodec(): StateCodec {
  return { encode, decode, pages };
}

/** Encoding is synchronous, so that one serves all. */
const writer = new StateWriter();
const NO_CHUNKS: CustomerWrite["chunks"] = [];

function encode(customer: Customer): Pick<CustomerWrite, "head" | "chunks"> {
  const { state } = customer;
  const tailMemo = customer.tailMemo as TailMemo | null;
  const chunks = encodePages(customer, tailMemo);
  const restMemo = customer.restMemo as RestMemo | null;
  const { head, tail, rest } = writer.head(state, customer.tailOrders, tailMemo, restMemo);
  customer.tailMemo = tail;
  customer.restMemo = rest;
  return { head, chunks };
}

function encodePages(customer: Customer, tailMemo: TailMemo | null): CustomerWrite["chunks"] {
  const pages = customer.takeChangedPages();
  if (pages.size === 0) return NO_CHUNKS;
  const { orders, tailPage } = customer.state;
  const chunks: (readonly [number, Uint8Array | null])[] = [];
  for (const page of pages) {
    if (page >= tailPage) continue;
    const held = orders.filter((order) => order.page === page);
    chunks.push([page, held.length === 0 ? null : writer.page(page, held, tailMemo)]);
  }
  return chunks;
}

function decode(customerId: string, stored: StoredCustomer): CustomerState {
  const head = HEAD_TYPE.fromBuffer(unversioned(stored.head)) as StoredHead;
  const of = new Instants();
  const others = readOthers(head.others, of, []);
  const standing = head.standing === null ? null : readStanding(head.standing, of);
  const base = head.base === null ? null : readBase(head.base, of);
  const erasedAt = of.readOptional(head.erasedAt);
  const instants = new Instants();
  const tail = readOrders(head.orders, head.tailPage, instants, []);
  const evaluatedAt = instants.readOptional(head.evaluatedAt);
  const newestAt = instants.readOptional(head.newestAt);
  return {
    customerId,
    orders: head.tailPage === 0 ? tail : [...readPages(stored, head.firstPage, head.tailPage), ...tail],
    ...others,
    newestAt,
    evaluatedAt,
    standing,
    base,
    published: readPublished(head.published, standing),
    erasedAt,
    tailPage: head.tailPage,
    firstPage: head.firstPage,
  };
}

function readPages({ chunks }: StoredCustomer, first: number, tail: number): OrderFact[] {
  const orders: OrderFact[] = [];
  for (let page = first; page < tail; page++) {
    const bytes = chunks.get(page);
    // A page of which every order was erased or settled has been deleted.
    if (bytes === undefined) continue;
    const stored = PAGE_TYPE.fromBuffer(unversioned(bytes)) as { orders: StoredOrder[] };
    orders.push(...readOrders(stored.orders, page, new Instants(), []));
  }
  return orders;
}

function pages(head: Uint8Array): readonly [first: number, tail: number] {
  const body = unversioned(head);
  const first = readVarint(body, 0);
  return [first.value, readVarint(body, first.end).value];
}

/** The first fields of a head are its page numbers: read without the rest. */
function readVarint(bytes: Buffer, at: number): { value: number; end: number } {
  let unsigned = 0;
  let end = at;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[end++];
    if (byte === undefined) break;
    unsigned += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value: unsigned % 2 === 0 ? unsigned / 2 : -(unsigned + 1) / 2, end };
  }
  throw new Error("a state head is cut off");
}

function unversioned(bytes: Uint8Array): Buffer {
  if (bytes[0] !== STATE_VERSION) {
    throw new Error(`a state part has version ${String(bytes[0])}, this program reads ${STATE_VERSION}`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1);
}

function readClassification(stored: StoredClassification): Classification {
  return {
    status: at(STATUSES, stored.status),
    stage: at(STAGES, stored.stage),
    value: at(VALUES, stored.value),
    attention: at(ATTENTIONS, stored.attention),
    tags: TAGS.filter((_tag, i) => (stored.tags & (1 << i)) !== 0),
  };
}

function readStanding(stored: StoredStanding, instants: Instants): Standing {
  const { ref } = stored;
  return {
    classification: readClassification(stored.classification),
    since: instants.read(stored.since),
    cause: {
      kind: at(CAUSE_KINDS, stored.cause),
      ref:
        ref === null
          ? null
          : typeof ref === "number"
            ? at(DEADLINES, ref)
            : { topic: at(FACT_TOPICS, ref.topic), eventId: ref.eventId },
    },
    accountSince: instants.readOptional(stored.accountSince),
  };
}

function readBase(stored: NonNullable<StoredHead["base"]>, instants: Instants): Base {
  return {
    at: instants.read(stored.at),
    standing: stored.standing === null ? null : readStanding(stored.standing, instants),
    occasionsDropped: stored.occasionsDropped,
    firstOccasionAt: instants.readOptional(stored.firstOccasionAt),
  };
}

function readPublished(
  stored: StoredHead["published"],
  standing: Standing | null,
): CustomerState["published"] {
  if (stored === null) return null;
  const classification =
    stored.classification === null ? standing?.classification : readClassification(stored.classification);
  if (classification === undefined) throw new Error("a state says it was published but not as what");
  return { classification, changeId: stringifyUuid(stored.changeId) };
}

function at<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new Error(`a state holds an index ${index} that this program does not know`);
  return value;
}
