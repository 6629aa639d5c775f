import type { Logger } from "../../src/pipeline/options.ts";

const ignore = (): void => undefined;

/** For clients of the harness itself: it tells what matters in its chronicle. */
export const QUIET: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
