/** From this many facts on, they are found by a map instead of a scan. */
const MAP_FROM = 16;

/**
 * Finds facts by id in a list that may grow to tens of thousands (A7). The map is made when it first pays, and again whenever
 * the list is another one, as after an erasure.
 */
export class FactIndex<T> {
  readonly #idOf: (fact: T) => string;
  #list: readonly T[] | null = null;
  #byId: Map<string, T> | null = null;
  /** What was found last, and in which list: one event asks for its fact several times. */
  #lastList: readonly T[] | null = null;
  #last: T | undefined;

  constructor(idOf: (fact: T) => string) {
    this.#idOf = idOf;
  }

  find(list: readonly T[], id: string): T | undefined {
    if (this.#last !== undefined && list === this.#lastList && this.#idOf(this.#last) === id)
      return this.#last;
    const found = list.length >= MAP_FROM ? this.#mapOf(list).get(id) : this.#scan(list, id);
    this.#last = found;
    this.#lastList = list;
    return found;
  }

  /** Puts a fact with a new id at the end of the list. */
  add(list: T[], fact: T): void {
    list.push(fact);
    if (list === this.#list) this.#byId?.set(this.#idOf(fact), fact);
  }

  #scan(list: readonly T[], id: string): T | undefined {
    for (const fact of list) if (this.#idOf(fact) === id) return fact;
    return undefined;
  }

  #mapOf(list: readonly T[]): Map<string, T> {
    if (this.#byId === null || list !== this.#list) {
      this.#list = list;
      this.#byId = new Map(list.map((fact) => [this.#idOf(fact), fact]));
    }
    return this.#byId;
  }
}
