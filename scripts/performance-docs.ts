/**
 * Writes the tables and plots of the kept benchmark results into the documents, between their markers: `npm run docs:performance`.
 * A test fails when they part.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newestResults } from "../test/bench/kept-results.ts";
import { performanceDocs, PLOTS_FOLDER } from "../test/bench/docs/performance-docs.ts";

const root = join(import.meta.dirname, "..");
const files = await performanceDocs(newestResults(), root);
mkdirSync(join(root, PLOTS_FOLDER), { recursive: true });
for (const name of readdirSync(join(root, PLOTS_FOLDER))) {
  const path = join(PLOTS_FOLDER, name);
  if (!files.has(path)) rmSync(join(root, path));
}
for (const [path, text] of files) writeFileSync(join(root, path), text);
