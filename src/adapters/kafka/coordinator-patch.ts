import { patchMethod } from "./method-patch.ts";

/** kafkajs's types of coordinators. */
const TRANSACTION = 1;

interface Question {
  readonly groupId: string;
  readonly coordinatorType: number;
}

/** A cluster of kafkajs, of which nothing is asked but this. */
type Cluster = object;
type Find = (this: Cluster, question: Question) => Promise<unknown>;

interface Remembered {
  readonly answer: unknown;
  /** On a clock that never goes back, ms. */
  readonly at: number;
}

/** Of a producer's cluster, what it was told last, by question. */
class Memory {
  readonly answers = new Map<string, Remembered>();
  /** The question before: a group's coordinator is asked for twice running when the first has refused. */
  last = "";
}

/** How long an answer is taken for true: a coordinator that has moved refuses, and the transaction is tried again a moment later. */
const REMEMBERED_MS = 1_000;

const memories = new WeakMap<Cluster, Memory>();

/**
 * kafkajs (2.2.4) asks who the coordinators are four times in every transaction, which makes four of its nine requests. With the
 * patch a producer with a transactional id asks once a second. What a coordinator that is none any more is asked it refuses, so that
 * remembering can delay and never falsify.
 * @throws Error when kafkajs is not the version that is known
 */
export function patchCoordinators(): void {
  patchMethod<Find>("cluster", "findGroupCoordinatorMetadata", remembering);
}

function remembering(original: Find): Find {
  return async function findGroupCoordinatorMetadata(question) {
    const memory = memories.get(this) ?? new Memory();
    if (question.coordinatorType === TRANSACTION) memories.set(this, memory);
    // Whoever has no transactions asks seldom, and mostly because something has changed.
    else if (!memories.has(this)) return original.call(this, question);
    const key = `${question.coordinatorType} ${question.groupId}`;
    const isRefused = question.coordinatorType !== TRANSACTION && memory.last === key;
    memory.last = key;
    const known = memory.answers.get(key);
    if (known !== undefined && !isRefused && performance.now() - known.at < REMEMBERED_MS)
      return known.answer;
    const answer = await original.call(this, question);
    memory.answers.set(key, { answer, at: performance.now() });
    return answer;
  };
}
