/** Least and greatest value of a draw, both included; the unit is the field's. */
export type Range = readonly [least: number, most: number];

/**
 * A small seeded source of randomness (sfc32): equal seeds give equal sequences on every machine. Not for secrets.
 * About 5 ns a draw.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param stream tells apart the independent sources of one seed, for example one a customer */
  constructor(seed: number, stream = 0) {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = 0x9e3779b9;
    // The first draws of sfc32 still show the seed; its authors discard twelve.
    for (let i = 0; i < 12; i++) this.bits();
  }

  /** 32 random bits, as an unsigned integer. */
  bits(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** In [0, 1). */
  fraction(): number {
    return this.bits() / 0x1_0000_0000;
  }

  /** An integer in [0, count); count ≤ 2³². */
  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }

  /** Anywhere between the two, not rounded. */
  between([least, most]: Range): number {
    return least + this.fraction() * (most - least);
  }

  /** An integer between the two, both included. */
  integer([least, most]: Range): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of the items; there must be one. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** The items in random order (Fisher–Yates), as a new array. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j] as T, result[i] as T];
    }
    return result;
  }
}
