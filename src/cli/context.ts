/** What every command is given: a signal that Ctrl-C and SIGTERM raise. */
export interface CommandContext {
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
}
