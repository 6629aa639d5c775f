import { pino, type Logger as Pino } from "pino";

/** Log lines as JSON on stderr, so that results on stdout stay clean. */
export function createLogger(level: "error" | "warn" | "info" | "debug"): Pino {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
