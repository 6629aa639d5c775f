import { acceptEvent, type Decoded } from "../../domain/accept.ts";
import { segmentAt } from "../../domain/explain.ts";
import type { CustomerEvent, DeadLetterReason } from "../../domain/events.ts";
import type { Customer } from "../../domain/customer.ts";
import type { Policy } from "../../domain/policy.ts";
import { timeline } from "../../domain/timeline.ts";
import { readLine } from "../../adapters/embedded/event-line.ts";
import { hashOfId } from "../../adapters/embedded/line-scan.ts";
import type { Piece } from "../../adapters/embedded/scratch.ts";
import { instant, type Instant } from "../../shared/instant.ts";
import { changeLine, deadLetterLine, segmentLine, timelineLine } from "../result-lines.ts";
import { referralsGiven, replayCustomer, type Arrival, type GivenReferral } from "./customer-replay.ts";
import { PartEntries, type Entry } from "./part-entries.ts";
import { RunWriter } from "./sorted-runs.ts";

/** The results a replay can write. */
export const OUTPUTS = ["changes", "segments", "timeline", "deadLetters"] as const;
export type Output = (typeof OUTPUTS)[number];

/** What is the same for all parts. */
export interface PartTerms {
  readonly policy: Policy;
  readonly files: readonly string[];
  /** Which results are wanted. */
  readonly outputs: readonly Output[];
}

/** Sorted lines of each result that is wanted. */
export type Runs = Readonly<Record<Output, readonly Uint8Array<ArrayBuffer>[]>>;

/** What a part came to. */
export interface PartResult {
  /** Runs that this part filled up; others' lines may be among theirs. */
  readonly runs: Runs;
  readonly changes: number;
  readonly deadLetters: number;
  /** Events after `asOf`, which were not seen. */
  readonly later: number;
}

interface Placed extends Arrival {
  readonly entry: Entry;
}

const NOBODY = { change: ignore, refused: ignore };

function ignore(): void {
  // Who asks for a customer asks for nothing else.
}

/** Replays parts, one at a time. */
export class PartReplayer {
  readonly #terms: PartTerms;
  readonly #writers: Record<Output, RunWriter> = {
    changes: new RunWriter(),
    segments: new RunWriter(),
    timeline: new RunWriter(),
    deadLetters: new RunWriter(),
  };
  readonly #tellsChanges: boolean;
  readonly #tellsSegments: boolean;
  readonly #tellsTimeline: boolean;
  readonly #tellsDeadLetters: boolean;

  constructor(terms: PartTerms) {
    this.#terms = terms;
    this.#tellsChanges = terms.outputs.includes("changes");
    this.#tellsSegments = terms.outputs.includes("segments");
    this.#tellsTimeline = terms.outputs.includes("timeline");
    this.#tellsDeadLetters = terms.outputs.includes("deadLetters");
  }

  /** Replays all customers, one after the other: what one holds in memory is gone before the next one is folded. */
  replay(pieces: readonly Piece[], asOf: Instant): PartResult {
    const { policy } = this.#terms;
    let changes = 0;
    let deadLetters = 0;
    let later = 0;
    const refuse = (entry: Entry, reason: DeadLetterReason, detail: string): void => {
      deadLetters++;
      if (this.#tellsDeadLetters) this.#writeDeadLetter(entry, reason, detail);
    };
    const terms = { policy, asOf, tellsChanges: this.#tellsChanges };
    const entries = new PartEntries(pieces);
    for (const hash of entries.hashes) {
      const found = this.#read(entries.entriesOf(hash), asOf, refuse);
      later += found.later;
      for (const [customerId, arrivals] of found.customers) {
        const customer = replayCustomer(customerId, inOrderOfPosition(arrivals), terms, {
          change: (place, change) =>
            this.#writers.changes.add(place, customerId, JSON.stringify(changeLine(customerId, change))),
          refused: ({ entry }, reason, detail) => refuse(entry, reason, detail),
        });
        changes += customer.changes;
        if (this.#tellsSegments) this.#writeSegment(customer, asOf);
        if (this.#tellsTimeline) this.#writeTimeline(customer, asOf);
      }
    }
    return { runs: this.#runs((writer) => writer.takeFull()), changes, deadLetters, later };
  }

  /** The lines of all parts that no run had yet. */
  rest(): Runs {
    return this.#runs((writer) => writer.takeAll());
  }

  #runs(take: (writer: RunWriter) => Uint8Array<ArrayBuffer>[]): Runs {
    const { changes, segments, timeline, deadLetters } = this.#writers;
    return {
      changes: take(changes),
      segments: take(segments),
      timeline: take(timeline),
      deadLetters: take(deadLetters),
    };
  }

  /** The referrals that the orders of a part give. Only customers of whom some line may name a referrer are looked at. */
  referrals(pieces: readonly Piece[], asOf: Instant): GivenReferral[] {
    const entries = new PartEntries(pieces);
    const given: GivenReferral[] = [];
    for (const hash of entries.referring) {
      const lines = entries.entriesOf(hash).filter(({ isReferral }) => !isReferral);
      for (const [customerId, arrivals] of this.#read(lines, asOf, ignore).customers) {
        for (const each of referralsGiven(customerId, arrivals, this.#terms.policy)) given.push(each);
      }
    }
    return given;
  }

  /** One customer alone, as it stands at the end; null: nothing is known of it. */
  customer(pieces: readonly Piece[], customerId: string, asOf: Instant): Customer | null {
    const entries = new PartEntries(pieces).entriesOf(hashOfId(customerId));
    const arrivals = this.#read(entries, asOf, ignore).customers.get(customerId);
    if (arrivals === undefined) return null;
    const terms = { policy: this.#terms.policy, asOf, tellsChanges: false };
    const customer = replayCustomer(customerId, inOrderOfPosition(arrivals), terms, NOBODY);
    return customer.isEmpty ? null : customer;
  }

  /** Reads the entries under one hash: almost always those of one customer. */
  #read(
    entries: readonly Entry[],
    asOf: Instant,
    refuse: (entry: Entry, reason: DeadLetterReason, detail: string) => void,
  ): { readonly customers: ReadonlyMap<string, Placed[]>; readonly later: number } {
    const customers = new Map<string, Placed[]>();
    let later = 0;
    for (const entry of entries) {
      const decoded = this.#decode(entry);
      if (decoded.kind === "dead_letter") {
        refuse(entry, decoded.reason, decoded.detail);
        continue;
      }
      const placed = this.#placed(decoded.event, entry);
      if (placed.at <= asOf) file(customers, placed);
      else later++;
    }
    return { customers, later };
  }

  #placed(event: CustomerEvent, entry: Entry): Placed {
    const at = event.topic === "referrals" ? instant(entry.line) : event.occurredAt;
    return { event, at, position: entry.position, entry };
  }

  #decode(entry: Entry): Decoded {
    const { block, start, end, cutFromBytes, isKnownUtf8 } = entry;
    if (entry.isReferral) return acceptEvent("referrals", JSON.parse(block.toString("utf8", start, end)));
    return readLine(block, cutFromBytes, isKnownUtf8, start, end).decoded;
  }

  #writeDeadLetter(entry: Entry, reason: DeadLetterReason, detail: string): void {
    const source = { file: this.#nameOf(entry), line: entry.line };
    const line = deadLetterLine(source, entry.block.subarray(entry.start, entry.end), reason, detail);
    this.#writers.deadLetters.add(entry.position, "", JSON.stringify(line));
  }

  #writeSegment(customer: Customer, asOf: Instant): void {
    const { policy } = this.#terms;
    const { customerId } = customer.state;
    const segment = segmentAt(customer, asOf, policy);
    if (segment === null) return;
    const { version, hash } = policy;
    const line = { customerId, asOf, ...segment, seq: customer.changes, policy: { version, hash } };
    this.#writers.segments.add(0, customerId, JSON.stringify(segmentLine(line)));
  }

  #writeTimeline(customer: Customer, asOf: Instant): void {
    const { customerId } = customer.state;
    for (const transition of timeline(customer, asOf, this.#terms.policy)) {
      this.#writers.timeline.add(0, customerId, JSON.stringify(timelineLine({ customerId, ...transition })));
    }
  }

  #nameOf({ file }: Entry): string {
    return this.#terms.files[file] ?? "";
  }
}

function file<A extends Arrival>(customers: Map<string, A[]>, arrival: A): void {
  const known = customers.get(arrival.event.customerId);
  if (known === undefined) customers.set(arrival.event.customerId, [arrival]);
  else known.push(arrival);
}

/** Referrals are filed behind all lines, those of one part behind those of another. */
function inOrderOfPosition(arrivals: Placed[]): Placed[] {
  const last = arrivals.at(-1);
  return last?.entry.isReferral === true ? arrivals.sort((a, b) => a.position - b.position) : arrivals;
}
