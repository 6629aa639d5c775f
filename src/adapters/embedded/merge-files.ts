/** Records in one batch of the merge. */
const BATCH_RECORDS = 4096;

interface Head<T> {
  readonly batches: AsyncGenerator<T[], void>;
  records: readonly T[];
  next: number;
  /** Instant of the next record; ∞: there is none. */
  at: number;
}

/**
 * Merges sources by the instants of their events, lowest first; equal ones in the order of the sources. Within a source the
 * order stays, and what could not be read goes first, out of the way.
 */
export async function* mergeByInstant<T>(
  sources: readonly AsyncGenerator<T[], void>[],
  instantOf: (record: T) => number,
): AsyncGenerator<T[], void> {
  const heads = sources.map((batches): Head<T> => ({ batches, records: [], next: 0, at: -Infinity }));
  const instantAt = ({ records, next }: Head<T>): number => {
    const record = records[next];
    return record === undefined ? Infinity : instantOf(record);
  };
  const refill = async (head: Head<T>): Promise<void> => {
    const result = await head.batches.next();
    head.records = result.done === true ? [] : result.value;
    head.next = 0;
    head.at = instantAt(head);
  };
  try {
    await Promise.all(heads.map(refill));
    let batch: T[] = [];
    for (;;) {
      const [lowest, limit] = lowestOf(heads);
      if (lowest === null) break;
      // The same source goes on as long as it is not behind the next one.
      do {
        const record = lowest.records[lowest.next++];
        if (record !== undefined) batch.push(record);
        lowest.at = instantAt(lowest);
        if (batch.length >= BATCH_RECORDS) {
          yield batch;
          batch = [];
        }
      } while (lowest.next < lowest.records.length && lowest.at < limit);
      if (lowest.next >= lowest.records.length) await refill(lowest);
    }
    if (batch.length > 0) yield batch;
  } finally {
    // Whoever stops early closes the files.
    await Promise.all(heads.map(({ batches }) => batches.return()));
  }
}

/** The source to take from, and the instant up to which it may go on: the lowest of the others. */
function lowestOf<T>(heads: readonly Head<T>[]): [lowest: Head<T> | null, limit: number] {
  let lowest: Head<T> | null = null;
  let limit = Infinity;
  for (const head of heads) {
    if (head.next >= head.records.length) continue;
    if (lowest === null || head.at < lowest.at) {
      limit = Math.min(limit, lowest?.at ?? Infinity);
      lowest = head;
    } else {
      limit = Math.min(limit, head.at);
    }
  }
  return [lowest, limit];
}
