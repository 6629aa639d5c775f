import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { collectorFlags, planMemory } from "../../src/app/memory-plan.ts";
import { median } from "./conditions.ts";
import type { BenchSize } from "./main.ts";
import type { Work } from "./work-run.ts";

const RUN = join(import.meta.dirname, "work-run.ts");
/** V8 has three such spaces in a young generation. */
const SEMI_SPACES = 3;

/**
 * What one thread of `run` does with its records, without servers: decode, fold, encode, at the steady state, over half of the
 * events. Short and repeatable: for looking at one's own change, not for a figure to tell others.
 */
export async function benchWork(
  { events, customers, runs }: BenchSize,
  say: (text: string) => void,
): Promise<object> {
  const plan = planMemory(1, "auto");
  const measured: Work[] = [];
  for (let run = 0; run < runs; run++) {
    const child = spawn(
      process.execPath,
      [
        `--max-semi-space-size=${Math.round(plan.youngMiB / SEMI_SPACES)}`,
        ...collectorFlags(plan),
        ...(process.env["BENCH_NODE_ARGS"]?.split(" ") ?? []),
        RUN,
        String(events),
        String(customers),
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const ended = once(child, "exit");
    const out = await text(child.stdout);
    const [code] = (await ended) as [number];
    if (code !== 0) throw new Error(`the run ended with ${code}`);
    const work = JSON.parse(out.slice(out.lastIndexOf("{"))) as Work;
    say(`work, run ${run + 1}: ${JSON.stringify(work)}`);
    measured.push(work);
  }
  const names = Object.keys(measured[0] ?? {}) as (keyof Work)[];
  return Object.fromEntries(
    names.map((name) => [name, Math.round(median(measured.map((work) => work[name])) * 100) / 100]),
  );
}
