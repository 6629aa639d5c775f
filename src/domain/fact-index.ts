/** From this many facts on, they are found by a map instead of a scan over hashes. */
const MAP_FROM = 512;

/**
 * Finds facts by id in a list that may grow to tens of thousands (A7). Most lists are short, and most ids are new: a scan over
 * the hashes of the ids, side by side in memory, says so without a look at the facts. The hashes, and the map of a long list, are
 * made when they first pay, and again whenever the list is another one, as after an erasure.
 */
export class FactIndex<T> {
  readonly #idOf: (fact: T) => string;
  #list: readonly T[] | null = null;
  #hashes: number[] = NO_HASHES;
  #byId: Map<string, T> | null = null;
  /** What was asked for last, and its answer: one event asks for its fact several times. */
  #lastId: string | null = null;
  #last: T | undefined;

  constructor(idOf: (fact: T) => string) {
    this.#idOf = idOf;
  }

  find(list: readonly T[], id: string): T | undefined {
    if (list !== this.#list) this.#index(list);
    else if (id === this.#lastId) return this.#last;
    this.#lastId = id;
    this.#last = this.#byId === null ? this.#scan(list, id) : this.#byId.get(id);
    return this.#last;
  }

  /** Puts a fact with a new id at the end of the list. */
  add(list: T[], fact: T): void {
    if (list !== this.#list) this.#index(list);
    list.push(fact);
    const id = this.#idOf(fact);
    this.#lastId = id;
    this.#last = fact;
    if (this.#byId !== null) this.#byId.set(id, fact);
    else if (list.length < MAP_FROM) this.#hashes.push(hashOf(id));
    else this.#index(list);
  }

  #scan(list: readonly T[], id: string): T | undefined {
    const hashes = this.#hashes;
    const hash = hashOf(id);
    for (let i = hashes.indexOf(hash); i >= 0; i = hashes.indexOf(hash, i + 1)) {
      const fact = list[i];
      if (fact !== undefined && this.#idOf(fact) === id) return fact;
    }
    return undefined;
  }

  #index(list: readonly T[]): void {
    this.#list = list;
    this.#lastId = null;
    this.#last = undefined;
    const isLong = list.length >= MAP_FROM;
    this.#byId = isLong ? new Map(list.map((fact) => [this.#idOf(fact), fact])) : null;
    this.#hashes = isLong ? NO_HASHES : list.map((fact) => hashOf(this.#idOf(fact)));
  }
}

const NO_HASHES: number[] = [];

/** 30 bits, so that V8 keeps it as it is; FNV-1a. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash & 0x3fffffff;
}
