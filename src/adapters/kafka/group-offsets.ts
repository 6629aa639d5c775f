import type { Admin } from "kafkajs";
import { ADMIN_ANSWER_MS, kafkaFailure, within } from "./failures.ts";
import { Rounds } from "./rounds.ts";

type Answer = Awaited<ReturnType<Admin["fetchOffsets"]>>;

/** What the group has committed, asked for all shards at once: those of a hand-over ask at the same time. */
export class GroupOffsets {
  readonly #admin: Admin;
  readonly #groupId: string;
  readonly #topics: readonly string[];
  readonly #rounds = new Rounds(() => this.#ask());

  /** `topics`: whole names. */
  constructor(admin: Admin, groupId: string, topics: readonly string[]) {
    this.#admin = admin;
    this.#groupId = groupId;
    this.#topics = topics;
  }

  /** As it is now, by whole names; `offset` is negative where none was committed. Throws RetriableError when no broker answers. */
  async of(shard: number): Promise<{ topic: string; offset: number; metadata: string | null }[]> {
    return (await this.#rounds.ask()).flatMap(({ topic, partitions }) => {
      const found = partitions.find(({ partition }) => partition === shard);
      return found === undefined ? [] : [{ topic, offset: Number(found.offset), metadata: found.metadata }];
    });
  }

  async #ask(): Promise<Answer> {
    try {
      const asked = this.#admin.fetchOffsets({ groupId: this.#groupId, topics: [...this.#topics] });
      return await within(ADMIN_ANSWER_MS, "reading committed offsets", asked);
    } catch (error) {
      throw kafkaFailure("reading committed offsets", error);
    }
  }
}
