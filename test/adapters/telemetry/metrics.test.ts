import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createMetrics } from "../../../src/adapters/telemetry/metrics.ts";

async function seriesOf(registry: ReturnType<typeof createMetrics>["registry"], name: string) {
  const text = await registry.getSingleMetricAsString(name);
  return text.split("\n").filter((line) => !line.startsWith("#"));
}

describe("metrics", () => {
  it("counts the first dead letter of a reason up from zero, so that increase() sees it", async () => {
    const { telemetry, registry } = createMetrics();
    expect(await seriesOf(registry, "clientela_dead_letters_total")).toContain(
      'clientela_dead_letters_total{reason="invalid_scale"} 0',
    );
    telemetry.deadLetter("invalid_scale");
    expect(await seriesOf(registry, "clientela_dead_letters_total")).toContain(
      'clientela_dead_letters_total{reason="invalid_scale"} 1',
    );
  });

  it("counts the first rebuild of a shard up from zero", async () => {
    const { registry } = createMetrics();
    expect(await seriesOf(registry, "clientela_acquire_duration_seconds")).toContain(
      'clientela_acquire_duration_seconds_count{path="rebuild"} 0',
    );
  });

  it("tells the lag of a shard only while it holds the shard", async () => {
    const { telemetry, registry } = createMetrics();
    telemetry.shard(3, "running");
    telemetry.lag(3, "orders", 17);
    telemetry.lag(4, "orders", 5);
    expect(await seriesOf(registry, "clientela_lag_records")).toContain(
      'clientela_lag_records{shard="3",topic="orders"} 17',
    );
    telemetry.shard(3, "released");
    expect(await seriesOf(registry, "clientela_lag_records")).toEqual([
      'clientela_lag_records{shard="4",topic="orders"} 5',
    ]);
  });

  it("counts each shard in one phase only", async () => {
    const { telemetry, registry } = createMetrics();
    telemetry.shard(0, "acquiring");
    telemetry.shard(1, "acquiring");
    telemetry.shard(0, "running");
    telemetry.shard(1, "released");
    const series = await seriesOf(registry, "clientela_shards");
    expect(series.filter((line) => !line.endsWith(" 0"))).toEqual(['clientela_shards{phase="running"} 1']);
  });

  it("tells how long a thread was kept from everything else, once", async () => {
    const { registry } = createMetrics();
    const lag = async (): Promise<number> =>
      Number((await seriesOf(registry, "clientela_thread_lag_seconds"))[0]?.split(" ")[1]);
    await sleep(50);
    const until = performance.now() + 300;
    while (performance.now() < until);
    await sleep(50);
    expect(await lag()).toBeGreaterThan(0.25);
    await sleep(50);
    expect(await lag()).toBeLessThan(0.25);
  });
});
