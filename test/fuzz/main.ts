import { Command } from "commander";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { fuzz, FuzzFailure } from "./run-fuzz.ts";

const SHOWN_EVERY_MS = 5_000;

await new Command("fuzz")
  .description(
    "Random, mutated and hostile records through decoder, fold and state codec: no crash, each accounted for. Prints one JSON line.",
  )
  .option("--records <n>", "records", wholeNumber(1, 1_000_000_000), 1_000_000)
  .option("--seed <n>", "which ones", wholeNumber(0, 2 ** 31 - 1), Date.now() % 2 ** 31)
  .action(async ({ records, seed }: { records: number; seed: number }) => {
    const startedAt = performance.now();
    let shownAt = startedAt;
    try {
      const account = await fuzz(seed, records, ({ records: done }) => {
        if (performance.now() - shownAt < SHOWN_EVERY_MS) return;
        shownAt = performance.now();
        process.stderr.write(`${done} records\n`);
      });
      const seconds = (performance.now() - startedAt) / 1000;
      const recordsPerSecond = Math.round(account.records / seconds);
      process.stdout.write(
        `${JSON.stringify({ seed, ...account, seconds: Math.round(seconds), recordsPerSecond })}\n`,
      );
    } catch (error) {
      if (!(error instanceof FuzzFailure)) throw error;
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    }
  })
  .parseAsync();
