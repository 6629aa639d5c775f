import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { withMarkedBlock } from "../../../scripts/marked-block.ts";
import { FIGURES } from "../figures.ts";
import type { KeptResult } from "../kept-results.ts";
import { plotsOf } from "./plots.ts";
import { resultText } from "./result-table.ts";

export const PLOTS_FOLDER = "docs/plots";
const PROFILE_PAGE = "docs/profile.md";
const PAGE = "docs/performance.md";

/** The documents and plots as the results give them, by path from the root; the prose is taken from what is there. */
export async function performanceDocs(
  results: ReadonlyMap<string, KeptResult>,
  root: string,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const pages = new Map([PAGE, PROFILE_PAGE].map((page) => [page, readFileSync(join(root, page), "utf8")]));
  for (const scenario of Object.keys(FIGURES)) {
    const page = scenario === "profile" ? PROFILE_PAGE : PAGE;
    const result = results.get(scenario);
    const plots = result === undefined ? [] : plotsOf(result);
    const images = plots.map(({ file, title }) => `![${title}](plots/${file})`);
    const block = result === undefined ? "" : resultText(result, images);
    pages.set(page, withMarkedBlock(pages.get(page) ?? "", `results ${scenario}`, block));
    for (const { file, svg } of plots) files.set(join(PLOTS_FOLDER, file), svg);
  }
  for (const [page, text] of pages) {
    files.set(page, await format(text, { parser: "markdown", printWidth: 110 }));
  }
  return files;
}
