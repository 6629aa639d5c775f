import { Command, Option } from "commander";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { changeLine as readableLine } from "../app/demo/change-line.ts";
import { createPalette } from "../app/demo/palette.ts";
import { watchChanges } from "../app/outputs.ts";
import { configuredPolicy } from "../app/policy-file.ts";
import { readSettings, serversOf } from "../app/settings.ts";
import { AXES, type Axis } from "../domain/classification.ts";
import type { CommandContext } from "./context.ts";
import { changeLine } from "../app/result-lines.ts";

interface Options {
  readonly fromBeginning: boolean;
  readonly untilEnd: boolean;
  readonly customer?: string;
  readonly changed?: Axis;
  readonly json: boolean;
}

export function watchCommand({ env, signal }: CommandContext): Command {
  return new Command("watch")
    .description("Follows the published segment changes, one readable line each.")
    .option("--from-beginning", "begin with the oldest change that is kept", false)
    .option("--until-end", "stop at the last change there is now", false)
    .option("--customer <id>", "changes of one customer only")
    .addOption(new Option("--changed <axis>", "changes of one axis only").choices([...AXES]))
    .option("--json", "one JSON object a line", false)
    .addHelpText("after", "\nExample: clientela watch --from-beginning --changed stage")
    .action(async (options: Options) => {
      const settings = readSettings(env);
      const policy = await configuredPolicy(settings.policyFile);
      const palette = createPalette(process.stdout.isTTY && env["NO_COLOR"] === undefined);
      const columns = process.stdout.isTTY ? process.stdout.columns : Infinity;
      const changes = watchChanges({
        servers: serversOf(settings),
        fromBeginning: options.fromBeginning,
        untilEnd: options.untilEnd,
        signal,
        logger: createLogger(settings.logLevel),
      });
      for await (const { customerId, change } of changes) {
        if (options.customer !== undefined && options.customer !== customerId) continue;
        if (options.changed !== undefined && change?.changed.includes(options.changed) !== true) continue;
        if (options.json) process.stdout.write(`${JSON.stringify(changeLine(customerId, change))}\n`);
        else if (change === null) process.stdout.write(`${customerId} was erased\n`);
        else {
          const line = readableLine(change, {
            noticedAt: change.decidedAt,
            lateFact: null,
            tell: ({ topic, eventId }) => `${topic} ${eventId}`,
            currency: policy.baseCurrency,
            columns,
            palette,
          });
          process.stdout.write(`${line}\n`);
        }
      }
    });
}
