import { open, readFile, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { deserialize, serialize } from "node:v8";
import { crc32 } from "node:zlib";
import { RefusedError, RetriableError } from "../../pipeline/errors.ts";

/** Length of the payload and its CRC-32, both 32 bits, little endian. */
const FRAME_HEADER_BYTES = 8;
/** A greater length can only be damage. */
const GREATEST_FRAME_BYTES = 2 ** 30;
const MAGIC = Buffer.from("clientela journal 1\n");

export interface JournalOptions {
  /** True: an entry is on the disk when `append` resolves. False: it survives the process, but not the machine. */
  readonly sync: boolean;
}

/**
 * An append-only file of entries (structured clones), each framed with length and checksum. What a crash left half written at
 * the end is cut off on opening; damage before the end is refused, since what follows it was promised to be kept.
 * Read whole on opening, so at most 2 GiB: for one machine and modest amounts.
 */
export class Journal {
  readonly #path: string;
  readonly #options: JournalOptions;
  #file: FileHandle;
  #size: number;
  #isBroken = false;

  private constructor(path: string, options: JournalOptions, file: FileHandle, size: number) {
    this.#path = path;
    this.#options = options;
    this.#file = file;
    this.#size = size;
  }

  /**
   * Opens or creates a journal.
   * @returns it, and its entries in the order in which they were appended; what they are is the caller's knowledge
   * @throws RefusedError when it is damaged
   */
  static async open(
    path: string,
    options: JournalOptions,
  ): Promise<{ readonly journal: Journal; readonly entries: unknown[] }> {
    const bytes = await readFile(path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
      throw error;
    });
    // A file shorter than its own beginning was being created when the process ended.
    const isNew = bytes.length < MAGIC.length && MAGIC.subarray(0, bytes.length).equals(bytes);
    if (!isNew && !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged(path, 0);
    const { entries, end } = isNew ? { entries: [], end: 0 } : readFrames(path, bytes);
    const file = await open(path, isNew ? "w+" : "r+");
    const journal = new Journal(path, options, file, end);
    if (isNew) await journal.#write(MAGIC);
    else if (end < bytes.length) await file.truncate(end);
    return { journal, entries };
  }

  get sizeBytes(): number {
    return this.#size;
  }

  /** To be called again only after it has settled. @throws RetriableError: the entry is not there */
  async append(entry: unknown): Promise<void> {
    await this.#write(frame(entry));
  }

  /** Puts another journal, with just these entries, in place of this one, or leaves it as it is. */
  async replace(entries: Iterable<unknown>): Promise<void> {
    const path = `${this.#path}.new`;
    const file = await open(path, "w+");
    const next = new Journal(path, this.#options, file, 0);
    try {
      await next.#writeAt(MAGIC);
      for (const entry of entries) await next.#writeAt(frame(entry));
      await file.sync();
      await rename(path, this.#path);
    } catch (error) {
      await file.close();
      throw new RetriableError("JOURNAL_WRITE", `${this.#path} can't be made smaller`, error);
    }
    const former = this.#file;
    this.#file = file;
    this.#size = next.#size;
    await former.close();
    if (this.#options.sync) await syncFolder(dirname(this.#path));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.#isBroken) {
      throw new RetriableError(
        "JOURNAL_WRITE",
        `${this.#path} could not be written to before; open it again`,
      );
    }
    const size = this.#size;
    try {
      await this.#writeAt(bytes);
      if (this.#options.sync) await this.#file.datasync();
    } catch (error) {
      this.#size = size;
      // Half an entry in the middle would be damage to the next reader.
      await this.#file.truncate(size).catch(() => (this.#isBroken = true));
      throw new RetriableError("JOURNAL_WRITE", `${this.#path} can't be written to`, error);
    }
  }

  async #writeAt(bytes: Buffer): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        written,
        bytes.length - written,
        this.#size + written,
      );
      written += bytesWritten;
    }
    this.#size += bytes.length;
  }
}

function frame(entry: unknown): Buffer {
  const payload = serialize(entry);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([header, payload]);
}

function readFrames(path: string, bytes: Buffer): { readonly entries: unknown[]; readonly end: number } {
  const entries: unknown[] = [];
  let at = MAGIC.length;
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const end = at + FRAME_HEADER_BYTES + length;
    if (end > bytes.length && length <= GREATEST_FRAME_BYTES) break;
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
    // No entry is empty, but zeros look like an empty one with the right checksum.
    const isSound =
      length > 0 && length <= GREATEST_FRAME_BYTES && crc32(payload) === bytes.readUInt32LE(at + 4);
    if (!isSound) {
      // A file grows before its bytes arrive: after a power cut zeros, or anything, may be all there is up to its end.
      if (end >= bytes.length || isZero(bytes.subarray(at))) break;
      throw damaged(path, at);
    }
    entries.push(deserialize(payload));
    at = end;
  }
  return { entries, end: at };
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function damaged(path: string, at: number): RefusedError {
  return new RefusedError(
    "JOURNAL_DAMAGED",
    `${path} is damaged at byte ${at}, before its end. Restore the folder from a copy, or delete it and start anew`,
  );
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
