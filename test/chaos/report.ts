import type { ChaosReport } from "./run-chaos.ts";
import type { Violation } from "./observed.ts";

/** Violations told in full; the others are in the folder. */
const TOLD = 5;
const AROUND_MS = 15_000;

/** What was checked, as people read it. */
export function summaryOf({ seed, verdict, counts, wallMs, violations }: ChaosReport): string {
  const of = (name: string): number => counts.get(name) ?? 0;
  const acquired = [...counts].filter(([name]) => name.startsWith("acquired "));
  const lost = [...counts].filter(([name]) => name.startsWith("footing lost: "));
  const died = [...counts].filter(([name]) => name.startsWith("died "));
  const listed = (some: [string, number][], prefix: string): string =>
    some.length === 0
      ? "none"
      : some.map(([name, count]) => `${name.slice(prefix.length)} ${count}`).join(", ");
  const lines = [
    ["seed", String(seed)],
    [
      "records in",
      `${verdict.inputs} of ${verdict.customers} customers, ${of("bursts")} bursts, ${of("sends without an answer")} sends without an answer`,
    ],
    [
      "changes out",
      `${verdict.changes} (${verdict.deadlineChanges} by deadline, ${verdict.corrections} corrections), ${verdict.tombstones} tombstones, ${verdict.deadLetters} dead letters`,
    ],
    ["exact lists", `${verdict.exact} customers, change by change; the others by chain, end and state`],
    ["states in Redis", `${verdict.states}, each decoded and its timeline compared`],
    ["kills", `${of("kills")}, of which at a named point: ${listed(died, "died ")}`],
    [
      "freezes",
      `${of("freezes")}; asked to leave ${of("leaves")}; starts ${of("starts")}, failed ${of("failed starts")}`,
    ],
    [
      "connections",
      `cut ${of("connections cut")}, held up ${of("connections held up")}, slowed ${of("connections slowed")}, answers lost ${of("answers lost")}`,
    ],
    [
      "servers",
      `broker ${of("broker faults")}, Redis ${of("Redis faults")} (lost its last writes ${of("Redis losses")}, everything ${of("total losses")}), registry ${of("registry faults")}`,
    ],
    ["shards acquired", listed(acquired, "acquired ")],
    ["footing lost", listed(lost, "footing lost: ")],
    [
      "recovery",
      `fences ${of("footing lost: FENCED")}, states that had moved ${of("footing lost: STATE_MOVED")}, re-folds ${of("acquired gap")} (${of("records folded again")} records), rebuilds ${of("acquired rebuild")}, refusals ${of("refusals")} (states astray ${of("states astray")})`,
    ],
    [
      "corrections",
      `${verdict.corrections}, of which ${verdict.strangeSupersedes} name another change than the one before; ids that came again after one ${verdict.returnedIds}`,
    ],
    ["wall time", `${(wallMs / 1000).toFixed(0)} s`],
    ["violations", String(violations.length)],
  ];
  return lines.map(([name = "", text = ""]) => `${name.padEnd(16)} ${text}`).join("\n");
}

/** What is wrong, and what the adversary did around it. */
export function violationsOf({ violations, chronicle }: ChaosReport): string {
  const kinds = new Map<string, number>();
  for (const { kind } of violations) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const counted = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(", ");
  const told = violations.slice(0, TOLD).map((violation) => {
    const around = violation.at === null ? [] : chronicle.around(violation.at, AROUND_MS);
    const deeds = around.map(({ at, what }) => `    ${(at / 1000).toFixed(3)} ${what}`);
    return [lineOf(violation), ...deeds].join("\n");
  });
  return [`violations: ${counted}`, ...told].join("\n");
}

export function lineOf({ kind, customerId, expected, found, at }: Violation): string {
  const when = at === null ? "" : ` at ${new Date(at).toISOString()}`;
  return `${kind}${customerId === null ? "" : `, customer ${customerId}`}${when}\n  expected ${JSON.stringify(expected)}\n  found    ${JSON.stringify(found)}`;
}
