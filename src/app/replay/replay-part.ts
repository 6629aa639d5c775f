import { acceptEvent, type Decoded } from "../../domain/accept.ts";
import { segmentAt } from "../../domain/explain.ts";
import type { DeadLetterReason } from "../../domain/events.ts";
import type { Policy } from "../../domain/policy.ts";
import { timeline } from "../../domain/timeline.ts";
import { recordOfLine } from "../../adapters/embedded/event-line.ts";
import type { Piece } from "../../adapters/embedded/scratch.ts";
import type { Instant } from "../../shared/instant.ts";
import { changeLine, deadLetterLine, segmentLine, timelineLine } from "../result-lines.ts";
import {
  referralsGiven,
  replayCustomer,
  type Arrival,
  type GivenReferral,
} from "./customer-replay.ts";
import { entriesOf, type Entry } from "./parts.ts";
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
  readonly asOf: Instant;
}

/** What a part came to: sorted lines of each result that is wanted. */
export interface PartResult {
  readonly runs: Readonly<Record<Output, readonly Uint8Array<ArrayBuffer>[]>>;
  readonly changes: number;
  readonly deadLetters: number;
  /** Events after `asOf`, which were not seen. */
  readonly later: number;
}

interface Placed extends Arrival {
  readonly entry: Entry;
}

/** Replays all customers of a part, one after the other: what one holds in memory is gone before the next one is folded. */
export function replayPart(pieces: readonly Piece[], terms: PartTerms): PartResult {
  const { policy, asOf, outputs } = terms;
  const writers = {
    changes: new RunWriter(),
    segments: new RunWriter(),
    timeline: new RunWriter(),
    deadLetters: new RunWriter(),
  };
  const wants = (output: Output): boolean => outputs.includes(output);
  const [tellsChanges, tellsSegments, tellsTimeline, tellsDeadLetters] = OUTPUTS.map(wants);
  let changes = 0;
  let deadLetters = 0;
  let later = 0;
  const refuse = (entry: Entry, reason: DeadLetterReason, detail: string): void => {
    deadLetters++;
    if (tellsDeadLetters !== true) return;
    const source = { file: terms.files[entry.file] ?? "", line: entry.line };
    writers.deadLetters.add(entry.position, "", lineOf(deadLetterLine(source, entry.bytes, reason, detail)));
  };

  const customers = new Map<string, Placed[]>();
  for (const entry of entriesOf(pieces)) {
    const decoded = decode(entry, terms);
    if (decoded.kind === "dead_letter") {
      refuse(entry, decoded.reason, decoded.detail);
      continue;
    }
    const { event } = decoded;
    const at = event.topic === "referrals" ? entry.line : event.occurredAt;
    if (at <= asOf) file(customers, { event, at, position: entry.position, entry });
    else later++;
  }
  for (const [customerId, arrivals] of customers) {
    const customer = replayCustomer(
      customerId,
      inOrderOfPosition(arrivals),
      { policy, asOf, tellsChanges: tellsChanges === true },
      {
        change: (place, change) =>
          writers.changes.add(place, customerId, lineOf(changeLine(customerId, change))),
        refused: ({ entry }, reason, detail) => refuse(entry, reason, detail),
      },
    );
    changes += customer.changes;
    if (tellsSegments === true) {
      const segment = segmentAt(customer, asOf, policy);
      if (segment !== null) {
        const { version, hash } = policy;
        const line = { customerId, asOf, ...segment, seq: customer.changes, policy: { version, hash } };
        writers.segments.add(0, customerId, lineOf(segmentLine(line)));
      }
    }
    if (tellsTimeline === true) {
      for (const transition of timeline(customer, asOf, policy)) {
        writers.timeline.add(0, customerId, lineOf(timelineLine({ customerId, ...transition })));
      }
    }
  }
  return {
    runs: {
      changes: writers.changes.take(),
      segments: writers.segments.take(),
      timeline: writers.timeline.take(),
      deadLetters: writers.deadLetters.take(),
    },
    changes,
    deadLetters,
    later,
  };
}

/** The referrals that the orders of a part give. Only customers of whom some line may name a referrer are looked at. */
export function referralsOfPart(pieces: readonly Piece[], terms: PartTerms): GivenReferral[] {
  const hashes = new Set<number>();
  for (const { mayRefer, hash } of entriesOf(pieces)) if (mayRefer) hashes.add(hash);
  if (hashes.size === 0) return [];
  const customers = new Map<string, Arrival[]>();
  for (const entry of entriesOf(pieces)) {
    if (entry.isReferral || !hashes.has(entry.hash)) continue;
    const decoded = decode(entry, terms);
    if (decoded.kind !== "event" || decoded.event.topic === "referrals") continue;
    const { event } = decoded;
    const at = event.occurredAt;
    if (at <= terms.asOf) file(customers, { event, at, position: entry.position });
  }
  return [...customers].flatMap(([customerId, arrivals]) =>
    referralsGiven(customerId, arrivals, terms.policy),
  );
}

function decode(entry: Entry, { files }: PartTerms): Decoded {
  const { bytes, line: number, cutFromBytes, isKnownUtf8 } = entry;
  if (entry.isReferral) return acceptEvent("referrals", JSON.parse(bytes.toString()));
  const { decoded } = recordOfLine(files[entry.file] ?? "", { number, bytes, cutFromBytes }, isKnownUtf8);
  if (decoded === undefined) throw new Error("a line is an event or a dead letter");
  return decoded;
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

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
