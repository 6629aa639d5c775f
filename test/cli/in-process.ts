import { vi } from "vitest";
import { createProgram, runProgram } from "../../src/cli/program.ts";
import type { Ended } from "../child.ts";

/** A command line run in this process, the way `main.ts` runs it; nothing of the caller's settings is seen. */
export async function runHere(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  const capture = (stream: "stdout" | "stderr"): (() => void) => {
    const spy = vi.spyOn(process[stream], "write").mockImplementation((text: string | Uint8Array) => {
      written[stream] += typeof text === "string" ? text : Buffer.from(text).toString("utf8");
      return true;
    });
    return () => spy.mockRestore();
  };
  const restore = [capture("stdout"), capture("stderr")];
  try {
    const code = await runProgram(createProgram, args, env);
    return { code, ...written };
  } finally {
    for (const each of restore) each();
  }
}
