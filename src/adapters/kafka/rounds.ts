/**
 * One question to the brokers, asked for all who have it: whoever comes while an answer is on its way shares the next one with all
 * others who do, because what is on its way may be older than the wish to know. Each is told when it fails.
 */
export class Rounds<T> {
  readonly #question: () => Promise<T>;
  #current: Promise<T> | null = null;
  #next: Promise<T> | null = null;

  constructor(question: () => Promise<T>) {
    this.#question = question;
  }

  /** The answer to a question that is not put before this call. */
  ask(): Promise<T> {
    if (this.#current === null) return this.#begin();
    const begin = (): Promise<T> => this.#begin();
    this.#next ??= this.#current.then(begin, begin);
    return this.#next;
  }

  #begin(): Promise<T> {
    this.#next = null;
    const round = this.#question().finally(() => {
      if (this.#current === round) this.#current = null;
    });
    this.#current = round;
    return round;
  }
}
