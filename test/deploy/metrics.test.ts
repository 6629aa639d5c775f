import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createMetrics, createProcessMetrics } from "../../src/adapters/telemetry/metrics.ts";
import { askedBy, type Selector } from "./promql.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const rules = (parse(read("deploy/prometheus/alerts.yml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(read("deploy/grafana/dashboards/clientela.json")) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== "row");

/** Labels that Prometheus itself puts on each series of a target, and its own series. */
const TARGET_LABELS = ["job", "instance"];
const PROMETHEUS_METRICS = ["up"];

/** What `/metrics` shows together: the threads' and the process's. */
const registries = [createMetrics().registry, createProcessMetrics()];
const exported = new Map<string, { labels: readonly string[]; values: ReadonlyMap<string, Set<string>> }>();
const metrics = await Promise.all(
  registries.map(async (registry) =>
    (await registry.getMetricsAsJSON()).map((metric) => ({ registry, metric })),
  ),
);
for (const { registry, metric } of metrics.flat()) {
  const { labelNames } = registry.getSingleMetric(metric.name) as unknown as { labelNames: string[] };
  const values = new Map<string, Set<string>>();
  for (const series of metric.values) {
    for (const [label, value] of Object.entries(series.labels)) {
      values.set(label, (values.get(label) ?? new Set()).add(String(value)));
    }
  }
  // prom-client's enum of types is a string at run time.
  if (String(metric.type) !== "histogram") exported.set(metric.name, { labels: labelNames, values });
  else {
    exported.set(`${metric.name}_bucket`, { labels: [...labelNames, "le"], values });
    exported.set(`${metric.name}_sum`, { labels: labelNames, values });
    exported.set(`${metric.name}_count`, { labels: labelNames, values });
  }
}
for (const name of PROMETHEUS_METRICS) exported.set(name, { labels: [], values: new Map() });

/** What a selector names that the registry does not have. */
function unknownIn({ metric, matchers }: Selector): string[] {
  const found = exported.get(metric);
  if (found === undefined) return [metric];
  return matchers.flatMap(({ label, operator, value }) => {
    if (TARGET_LABELS.includes(label)) return [];
    if (!found.labels.includes(label)) return [`${metric}{${label}}`];
    // Labels with a fixed set of values are there from the start, at zero.
    const known = found.values.get(label);
    if (known === undefined) return [];
    const asked = operator === "=~" || operator === "!~" ? value.split("|") : [value];
    return asked.filter((each) => !known.has(each)).map((each) => `${metric}{${label}="${each}"}`);
  });
}

function unknownInExpression(expression: string): string[] {
  const { selectors, grouped } = askedBy(expression);
  const labels = [...TARGET_LABELS, ...selectors.flatMap(({ metric }) => exported.get(metric)?.labels ?? [])];
  return [...selectors.flatMap(unknownIn), ...grouped.filter((label) => !labels.includes(label))];
}

describe("reading expressions", () => {
  it("finds metrics, matchers and grouping labels", () => {
    const asked = askedBy(
      'histogram_quantile(0.99, sum by (le, step) (rate(a_bucket{job="$job", x=~"p|q"}[5m]))) > 1',
    );
    expect(asked.selectors).toEqual([
      {
        metric: "a_bucket",
        matchers: [
          { label: "job", operator: "=", value: "$job" },
          { label: "x", operator: "=~", value: "p|q" },
        ],
      },
    ]);
    expect(asked.grouped).toEqual(["le", "step"]);
  });

  it.each([
    ["clientela_lags", ["clientela_lags"]],
    ['clientela_lag_records{partition="1"}', ["clientela_lag_records{partition}"]],
    ['clientela_shards{phase="runing"}', ['clientela_shards{phase="runing"}']],
    ['clientela_shards{phase=~"running|idle"}', ['clientela_shards{phase="idle"}']],
    ["sum by (topics) (clientela_lag_records)", ["topics"]],
    ["rate(clientela_batch_records[5m])", ["clientela_batch_records"]],
  ])("says what %s names in vain", (expression, unknown) => {
    expect(unknownInExpression(expression)).toEqual(unknown);
  });
});

describe("alert rules", () => {
  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    "%s asks for what the processor exports",
    (_, { expr }) => {
      expect(askedBy(expr).selectors).not.toEqual([]);
      expect(unknownInExpression(expr)).toEqual([]);
    },
  );

  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    "%s names only labels that its result keeps",
    (_, { expr, annotations }) => {
      const kept = [...TARGET_LABELS, ...askedBy(expr).grouped];
      const named = Object.values(annotations).flatMap((text) =>
        Array.from(text.matchAll(/\$labels\.(\w+)/g), ([, label]) => label),
      );
      expect(named.filter((label) => !kept.includes(label ?? ""))).toEqual([]);
    },
  );

  it("are each explained in the operations guide", () => {
    const guide = read("docs/operations.md");
    expect(rules.filter(({ alert }) => !guide.includes(`### ${alert}\n`)).map(({ alert }) => alert)).toEqual(
      [],
    );
  });
});

describe("dashboard", () => {
  const targets = panels.flatMap(({ title, targets: asked = [] }) =>
    asked.map(({ expr, legendFormat }) => [`${title}: ${expr}`, expr, legendFormat] as const),
  );

  it.each(targets)("%s", (_, expr, legendFormat) => {
    expect(unknownInExpression(expr)).toEqual([]);
    const shown = Array.from(legendFormat.matchAll(/{{(\w+)}}/g), ([, label]) => label);
    expect(shown.filter((label) => !askedBy(expr).grouped.includes(label ?? ""))).toEqual([]);
  });

  it("fills its variables from what the processor exports", () => {
    const definitions = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(definitions.length).toBeGreaterThan(0);
    for (const definition of definitions) {
      const [, selector = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? [];
      expect(unknownInExpression(selector)).toEqual([]);
      expect(TARGET_LABELS).toContain(label);
    }
  });

  it("shows every metric that is clientela's own", () => {
    const shown = new Set(
      targets.flatMap(([, expr]) =>
        askedBy(expr).selectors.map(({ metric }) => metric.replace(/_(bucket|sum|count)$/, "")),
      ),
    );
    const own = registries
      .flatMap((registry) => registry.getMetricsAsArray())
      .map(({ name }) => name)
      .filter((name) => !/^clientela_(process|nodejs)_/.test(name));
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter((name) => !shown.has(name))).toEqual([]);
  });

  it("lays its panels out without overlap, within the grid", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `${title} covers`).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });
});
