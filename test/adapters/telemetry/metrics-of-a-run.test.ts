import type { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { createMetrics } from "../../../src/adapters/telemetry/metrics.ts";
import { day, order } from "../../pipeline/facts.ts";
import { World } from "../../pipeline/world.ts";

/** What a scrape shows of one metric: labels and value. */
async function samples(registry: Registry, name: string): Promise<Record<string, number>> {
  const metric = (await registry.getMetricsAsJSON()).find((each) => each.name === name);
  if (metric === undefined) throw new Error(`there is no metric ${name}`);
  return Object.fromEntries(
    metric.values.map((value) => {
      const labels = Object.entries(value.labels).map(([label, text]) => `${label}=${String(text)}`);
      const suffix = "metricName" in value ? String(value.metricName).slice(name.length) : "";
      return [suffix + labels.sort().join(","), value.value];
    }),
  );
}

/** A shard that has seen events, a bad record, a deadline and a stop. */
async function lived(): Promise<Registry> {
  const { telemetry, registry } = createMetrics();
  const world = new World();
  const owner = world.own({ telemetry });
  const placed = order("a", 1);
  await world.append(placed, order("b", 2), placed);
  await world.appendRecords([
    {
      topic: "surveys",
      value: null,
      decoded: { kind: "dead_letter", reason: "invalid_scale", detail: "score 0 on 1–10" },
    },
  ]);
  await world.settle(owner);
  world.clock.advanceTo(day(181));
  await world.settle(owner);
  world.clock.advanceBy(1000);
  await world.settle(owner);
  await world.stop();
  return registry;
}

describe("metrics of a run", () => {
  test("every name begins with clientela_, has a help text, and says its unit where it has one", async () => {
    const metrics = (await lived()).getMetricsAsArray();
    for (const { name, help, type } of metrics as unknown as { name: string; help: string; type: string }[]) {
      expect(name).toMatch(/^clientela_[a-z0-9_]+$/);
      expect(help.length).toBeGreaterThan(5);
      if (name.includes("duration") || name.includes("lateness")) expect(name).toMatch(/_seconds$/);
      if (type === "counter") expect(name).toMatch(/(_total|_seconds_total)$/);
    }
  });

  test("records by topic and what they came to", async () => {
    const registry = await lived();
    expect(await samples(registry, "clientela_events_total")).toEqual({
      "outcome=folded,topic=orders": 2,
      "outcome=duplicate,topic=orders": 1,
      "outcome=dead_letter,topic=surveys": 1,
    });
    expect(await samples(registry, "clientela_dead_letters_total")).toMatchObject({
      "reason=invalid_scale": 1,
      "reason=undecodable": 0,
    });
  });

  test("changes by axis, cause and origin", async () => {
    const changes = await samples(await lived(), "clientela_changes_total");
    expect(changes).toMatchObject({
      "axis=status,cause=EVENT,origin=LIVE": 2,
      "axis=stage,cause=EVENT,origin=LIVE": 2,
      "axis=status,cause=DEADLINE,origin=LIVE": 1,
    });
    expect(changes).not.toHaveProperty("axis=stage,cause=DEADLINE,origin=LIVE");
  });

  test("commits, batches, sweeps, lag and where the shard stands", async () => {
    const registry = await lived();
    const commit = await samples(registry, "clientela_commit_duration_seconds");
    expect(commit["_countstep=transaction"]).toBeGreaterThanOrEqual(2);
    expect(commit["_countstep=script"]).toBe(commit["_countstep=total"]);
    expect((await samples(registry, "clientela_batch_records"))["_sum"]).toBe(4);
    expect((await samples(registry, "clientela_deadlines_swept_total"))[""]).toBe(1);
    expect(await samples(registry, "clientela_lag_records")).toMatchObject({ "shard=0,topic=orders": 0 });
    expect(await samples(registry, "clientela_shards")).toMatchObject({
      "phase=running": 0,
      "phase=stopped": 1,
    });
    expect((await samples(registry, "clientela_acquire_duration_seconds"))["_countpath=fresh"]).toBe(1);
  });
});

describe("lateness of deadlines", () => {
  test("is counted in seconds, and deadlines of a former time are left out", async () => {
    const { telemetry, registry } = createMetrics();
    telemetry.deadlineLateness(0.2);
    telemetry.deadlineLateness(3600);
    telemetry.deadlineLateness(3601);
    const lateness = await samples(registry, "clientela_deadline_lateness_seconds");
    expect(lateness).toMatchObject({ _count: 2, _sum: 3600.2, "_bucketle=0.25": 1, "_bucketle=0.1": 0 });
  });
});

test("a shard is counted under one phase at a time, and under none once it is released", async () => {
  const { telemetry, registry } = createMetrics();
  telemetry.shard(3, "acquiring");
  telemetry.shard(4, "acquiring");
  telemetry.shard(3, "running");
  telemetry.shard(4, "released");
  telemetry.shard(4, "acquiring");
  telemetry.shard(4, "released");
  const counted = await samples(registry, "clientela_shards");
  expect(Object.entries(counted).filter(([, count]) => count !== 0)).toEqual([["phase=running", 1]]);
});
