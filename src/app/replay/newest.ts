import { readLine } from "../../adapters/embedded/event-line.ts";
import type { ScannedLine } from "../../adapters/embedded/line-scan.ts";
import { instant, type Instant } from "../../shared/instant.ts";

/**
 * The newest `occurredAt` of lines that are events. A scan has only said what each would be dated if it is one: of each batch the newest
 * ones are read, until one is.
 */
export class Newest {
  at: Instant = instant(0);

  look(lines: readonly ScannedLine[]): void {
    let newest: ScannedLine | null = null;
    for (const line of lines) if (line.at > (newest?.at ?? this.at)) newest = line;
    if (newest === null || this.#take(newest)) return;
    const newer = lines.filter(({ at }) => at > this.at).sort((a, b) => b.at - a.at);
    for (const line of newer) if (this.#take(line)) return;
  }

  /** False when the line is no event. */
  #take({ line, isKnownUtf8 }: ScannedLine): boolean {
    const { decoded } = readLine(line.bytes, line.cutFromBytes, isKnownUtf8);
    if (decoded.kind !== "event" || decoded.event.topic === "referrals") return false;
    this.at = decoded.event.occurredAt;
    return true;
  }
}
