import type { Policy } from "../domain/policy.ts";
import { RefusedError } from "./errors.ts";
import type { ShardDeps } from "./options.ts";
import type { PolicySpans } from "./policy-spans.ts";

/**
 * The policies of a shard by their hashes: those that the store keeps as text beside the states that stand under them, the one to
 * be in force, and former ones that were given by hand.
 */
export class KnownPolicies {
  readonly #shard: number;
  readonly #policies: ShardDeps["policies"];
  readonly #known: Map<string, Policy>;
  /** By hash, as the store has them. */
  #texts: Readonly<Record<string, string>>;

  constructor({ policy, policies }: ShardDeps, shard: number, policyText: string | null) {
    this.#shard = shard;
    this.#policies = policies;
    this.#texts = policyText === null ? {} : (JSON.parse(policyText) as Record<string, string>);
    this.#known = new Map([...(policies.former ?? []), policy].map((each) => [each.hash, each]));
  }

  /** @throws RefusedError POLICY_UNKNOWN */
  of(hash: string): Policy {
    const known = this.#known.get(hash);
    if (known !== undefined) return known;
    const text = this.#texts[hash];
    if (text === undefined) throw this.#unknown([hash]);
    const policy = this.#policies.parse(text);
    this.#known.set(hash, policy);
    return policy;
  }

  /** @throws RefusedError POLICY_UNKNOWN, that names all that are */
  assure(spans: PolicySpans): void {
    const unknown = spans
      .map(({ policy }) => policy)
      .filter((hash) => !this.#known.has(hash) && this.#texts[hash] === undefined);
    if (unknown.length > 0) throw this.#unknown([...new Set(unknown)]);
  }

  /** What the store is to keep from now on, so that any of these can be read by whoever comes next; null: it keeps just these. */
  toStore(hashes: ReadonlySet<string>): string | null {
    const stored = Object.keys(this.#texts);
    if (stored.length === hashes.size && stored.every((hash) => hashes.has(hash))) return null;
    this.#texts = Object.fromEntries(
      Array.from(hashes, (hash) => [hash, this.#texts[hash] ?? this.#policies.text(this.of(hash))]),
    );
    return JSON.stringify(this.#texts);
  }

  #unknown(hashes: readonly string[]): RefusedError {
    const names = hashes.map((hash) => `${hash.slice(0, 12)}…`).join(", ");
    return new RefusedError(
      "POLICY_UNKNOWN",
      `shard ${this.#shard}: what was published stands under policy ${names}, of which the state store has no text. ` +
        "Name its file in CLIENTELA_FORMER_POLICY_FILES",
    );
  }
}
