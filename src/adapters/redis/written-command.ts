import { Command } from "ioredis";

/**
 * A command whose bytes are there already. `args` are the first of its arguments, as many as ioredis needs to find the keys it is
 * routed by in a cluster; it may be sent again, to another node too.
 */
export class WrittenCommand extends Command {
  readonly #bytes: Buffer;

  constructor(name: string, args: (string | number)[], bytes: Buffer) {
    super(name, args, { replyEncoding: null });
    this.#bytes = bytes;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}
