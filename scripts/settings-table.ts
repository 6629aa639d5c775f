/** Writes the table of settings into the README, between its markers: `npm run docs:settings`. A test fails when they part. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settingsTable } from "../src/app/settings.ts";
import { withMarkedBlock } from "./marked-block.ts";

const readme = join(import.meta.dirname, "../README.md");
writeFileSync(readme, withMarkedBlock(readFileSync(readme, "utf8"), "settings", settingsTable()));
