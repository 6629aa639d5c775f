/** Writes the table of settings into the README, between its markers: `npm run docs:settings`. A test fails when they part. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settingsTable } from "../src/app/settings.ts";

const readme = join(import.meta.dirname, "../README.md");
const text = readFileSync(readme, "utf8");
const between = /(<!-- settings -->\n\n)[^]*?(\n\n<!-- \/settings -->)/;
if (!between.test(text)) throw new Error("README.md has no settings markers");
writeFileSync(
  readme,
  text.replace(between, (_, begin: string, end: string) => begin + settingsTable() + end),
);
