/** What an expression asks for: enough of PromQL to hold names against a registry, no evaluation. */
export interface Asked {
  /** Each selector: a metric with its matchers. */
  readonly selectors: readonly Selector[];
  /** Labels of `by`, `without`, `on` and `ignoring`. */
  readonly grouped: readonly string[];
}

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

const TOKEN =
  /"(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*|=~|!~|!=|[={}(),]|\[[^\]]*\]|\d[\w.]*|[-+*/%^<>!]=?|\s+/gy;
const GROUPING = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);
const WORDS = new Set(["and", "or", "unless", "bool", "offset"]);

/** Throws when the text holds something this reader does not know: better than to look past it. */
export function askedBy(expression: string): Asked {
  const tokens = tokensOf(expression);
  const selectors: Selector[] = [];
  const grouped: string[] = [];
  let i = 0;
  const listUntil = (end: string): string[] => {
    const list: string[] = [];
    for (i++; tokens[i] !== end; i++) {
      const token = tokens[i];
      if (token === undefined) throw new Error(`no ${end} in ${expression}`);
      if (token !== ",") list.push(token);
    }
    return list;
  };
  for (; i < tokens.length; i++) {
    const token = tokens[i] ?? "";
    if (!/^[a-zA-Z_:]/.test(token) || WORDS.has(token)) continue;
    if (GROUPING.has(token)) {
      i++;
      grouped.push(...listUntil(")"));
      continue;
    }
    const following = tokens[i + 1];
    // A function or an aggregation: its arguments come by themselves.
    if (following === "(" || (following !== undefined && GROUPING.has(following))) continue;
    if (following !== "{") {
      selectors.push({ metric: token, matchers: [] });
      continue;
    }
    i++;
    const inside = listUntil("}");
    const matchers = [];
    for (let at = 0; at < inside.length; at += 3) {
      const [label = "", operator = "", quoted = ""] = inside.slice(at, at + 3);
      matchers.push({ label, operator, value: JSON.parse(quoted) as string });
    }
    selectors.push({ metric: token, matchers });
  }
  return { selectors, grouped };
}

function tokensOf(expression: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < expression.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(expression)?.[0];
    if (token === undefined) throw new Error(`not understood from ${expression.slice(at)}`);
    if (token.trim() !== "" && !token.startsWith("[")) tokens.push(token);
  }
  return tokens;
}
