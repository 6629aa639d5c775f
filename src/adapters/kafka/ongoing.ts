/** Something that may be under way, and can be waited for. */
export class Ongoing {
  #ended: Promise<void> = Promise.resolve();
  #end: (() => void) | null = null;

  begin(): void {
    if (this.#end !== null) return;
    this.#ended = new Promise((resolve) => (this.#end = resolve));
  }

  end(): void {
    this.#end?.();
    this.#end = null;
  }

  /** Resolves when it is not under way. */
  ended(): Promise<void> {
    return this.#ended;
  }
}
