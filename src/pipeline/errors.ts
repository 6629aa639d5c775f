/**
 * Trouble with the infrastructure (never with a record). `retriable`: waiting and acquiring again may help.
 * Everything that is not a ClientelaError is a bug and stops the process.
 */
export class ClientelaError extends Error {
  readonly code: string;
  readonly retriable: boolean;

  constructor(code: string, message: string, options: { retriable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = "ClientelaError";
    this.code = code;
    this.retriable = options.retriable;
  }
}

/** A server is unreachable, timed out, or answered something that passes. The shard waits with back-off; nothing is skipped (A4). */
export class RetriableError extends ClientelaError {
  constructor(code: string, message: string, cause?: unknown) {
    super(code, message, { retriable: true, cause });
  }
}

/** Going on could lose or falsify data: the process refuses and exits with 3 (I1). The message says what was found and what to do. */
export class RefusedError extends ClientelaError {
  constructor(code: string, message: string, cause?: unknown) {
    super(code, message, { retriable: false, cause });
  }
}

/** Wrong usage, configuration or input file; nothing was changed; exit code 2 (I1). One line per problem. */
export class UsageError extends ClientelaError {
  readonly problems: readonly string[];

  constructor(code: string, problems: readonly string[]) {
    super(code, problems.join("\n"), { retriable: false });
    this.problems = problems;
  }
}
