import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Replacement } from "./omissions.ts";

const SRC = new URL("../../src/", import.meta.url);

/** The source of a file with the replacements that are meant for it. Throws when a text is not there, or more than once. */
export function replaced(source: string, replacements: readonly Replacement[]): string {
  let result = source;
  for (const { file, text, by } of replacements) {
    const parts = result.split(text);
    if (parts.length !== 2) {
      throw new Error(
        `src/${file} has ${parts.length - 1} times what is to be replaced there, not once: ${JSON.stringify(text)}`,
      );
    }
    result = parts.join(by);
  }
  return result;
}

/** From now on these files are loaded with the replacements. Nothing of them may have been loaded before. */
export function loadWith(replacements: readonly Replacement[]): void {
  const byUrl = new Map<string, Replacement[]>();
  for (const replacement of replacements) {
    const { href } = new URL(replacement.file, SRC);
    byUrl.set(href, [...(byUrl.get(href) ?? []), replacement]);
  }
  registerHooks({
    load(url, context, nextLoad) {
      const wanted = byUrl.get(url);
      if (wanted === undefined) return nextLoad(url, context);
      const source = replaced(readFileSync(fileURLToPath(url), "utf8"), wanted);
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}
