import { Command } from "ioredis";

const NOTHING = Buffer.alloc(0);

/**
 * A command whose bytes are there already. `args` are the first of its arguments, as many as ioredis needs to find the keys it is
 * routed by in a cluster; it may be sent again, to another node too, until it is answered.
 */
export class WrittenCommand extends Command {
  #bytes: Buffer;

  constructor(name: string, args: (string | number)[], bytes: Buffer) {
    super(name, args, { replyEncoding: null });
    this.#bytes = bytes;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }

  /**
   * Lets go of the bytes, once it is answered: ioredis's command outlives its answer until all of the heap is collected, and a quarter of a
   * megabyte each, 20 times a second, would bring that on.
   */
  forget(): void {
    this.#bytes = NOTHING;
  }
}
