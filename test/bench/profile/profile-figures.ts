import { greatest, type Aggregate } from "./aggregate.ts";
import { AREAS, UNMAPPED, type Area, type threadOf } from "./areas.ts";

export interface ProfiledCpu {
  /** Committed in the window of the profile. */
  readonly events: number;
  /** CPU of the process's threads in the window, by what they are for. */
  readonly seconds: ReadonlyMap<ReturnType<typeof threadOf>, number>;
  /** Time at which functions were found at work, in any unit: what counts is their part of it. */
  readonly samples: Aggregate;
}

const TOP = 25;

/** The figures of the scenario `profile`: an event's, of a process without the profiler's own threads. */
export function profileFigures(
  { events, seconds, samples }: ProfiledCpu,
  allocated: Aggregate,
  allEvents: number,
): object {
  const microsOf = (value: number): number => (value * 1e6) / events;
  const script = microsOf(seconds.get("script") ?? 0);
  if (script === 0) throw new Error("none of the process's threads is known to run scripts");
  const cpu = new Map<Area, number>(
    [...samples.areas].map(([area, value]) => [area, (value / samples.total) * script]),
  );
  for (const [thread, value] of seconds) {
    if (thread !== "script" && thread !== "profiler")
      cpu.set(thread, (cpu.get(thread) ?? 0) + microsOf(value));
  }
  const bytes = new Map<Area, number>([...allocated.areas].map(([area, value]) => [area, value / allEvents]));
  const all = [...cpu.values()].reduce((sum, value) => sum + value, 0);
  const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
  const top = ({ functions }: Aggregate, each: (value: number) => number): object =>
    Object.fromEntries(greatest(functions, TOP).map(([name, value]) => [name, each(value)]));
  const dearestFirst = AREAS.toSorted((a, b) => (cpu.get(b) ?? 0) - (cpu.get(a) ?? 0));
  return {
    cpuMicrosPerEvent: rounded(all, 2),
    /** Beside it. */
    profilerMicrosPerEvent: rounded(microsOf(seconds.get("profiler") ?? 0), 2),
    unmappedShare: {
      cpu: rounded((samples.areas.get(UNMAPPED) ?? 0) / samples.total, 4),
      allocated: rounded((allocated.areas.get(UNMAPPED) ?? 0) / allocated.total, 4),
    },
    areas: Object.fromEntries(
      dearestFirst.map((area) => [
        area,
        { cpuMicros: rounded(cpu.get(area) ?? 0, 2), allocatedBytes: rounded(bytes.get(area) ?? 0, 0) },
      ]),
    ),
    topFunctions: top(samples, (value) => rounded((value / samples.total) * script, 2)),
    topAllocations: top(allocated, (value) => rounded(value / allEvents, 0)),
  };
}
