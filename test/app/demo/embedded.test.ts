import { describe, expect, it } from "vitest";
import { createSystemClock } from "../../../src/adapters/embedded/clock.ts";
import { recordOf, startEmbedded } from "../../../src/app/compose-embedded.ts";
import type { DemoDependencies } from "../../../src/app/demo/dependencies.ts";
import { DEMO_DEFAULTS, runDemo } from "../../../src/app/demo/run-demo.ts";
import { foldEngine } from "./fold-engine.ts";
import { recordingScreen } from "./screen-recorder.ts";

const system = createSystemClock();

/** The pipeline over the embedded log and store (A8), on the demo's time. */
const embedded: DemoDependencies = {
  start: async ({ policy, clock, onCommitted }) => {
    const engine = await startEmbedded({
      policy,
      clock: { now: () => clock.now(), sleep: (ms, signal) => system.sleep(ms, signal) },
      onCommitted,
    });
    return {
      append: (events) => engine.append(events.map(recordOf)),
      settle: () => engine.settle(),
      customer: (customerId) => engine.customer(customerId),
      stop: () => engine.stop(),
    };
  },
};

async function show(deps: DemoDependencies): Promise<string> {
  const out = recordingScreen();
  const { signal } = new AbortController();
  await runDemo({ ...DEMO_DEFAULTS, fast: true, signal, out }, deps);
  return out.text();
}

describe("the demo on the embedded composition", () => {
  it("writes the same bytes each time, and the same as the bare fold: batches and sweeps do not show (S1)", async () => {
    const first = await show(embedded);
    expect(first).toContain("Five stories");
    expect(await show(embedded)).toBe(first);
    expect(await show(foldEngine())).toBe(first);
  }, 30_000);
});
