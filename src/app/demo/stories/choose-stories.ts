import type { Chronicle, PublishedChange } from "../chronicle.ts";
import { climbStory } from "./climb-story.ts";
import { lateStory } from "./late-story.ts";
import { paymentStory } from "./payment-story.ts";
import { lossStory, returnStory } from "./reserve-stories.ts";
import { seasonStory } from "./season-story.ts";
import { silenceStory } from "./silence-story.ts";
import type { Protagonist, Story, StoryKind } from "./story.ts";

/** The five that are told, in this order. */
export const STORY_KINDS: readonly StoryKind[] = [
  climbStory,
  silenceStory,
  paymentStory,
  seasonStory,
  lateStory,
];
/** Step in where one of the five has nobody. */
const RESERVES: readonly StoryKind[] = [returnStory, lossStory];
/** Customers asked per story before it is given up. */
const GREATEST_TRIES = 20;

/** A story, or the sentence that says why there is none. */
export type StoryOrAbsence =
  | { readonly kind: "story"; readonly story: Story; readonly insteadOf: string | null }
  | { readonly kind: "absence"; readonly text: string };

/**
 * Picks, by what really happened, a customer for each story: each another one where possible. A story that nobody lived is replaced
 * by a reserve, which says so; without any, its absence is told.
 */
export async function chooseStories(
  chronicle: Pick<Chronicle, "published">,
  protagonist: (customerId: string, changes: readonly PublishedChange[]) => Promise<Protagonist | null>,
): Promise<StoryOrAbsence[]> {
  const taken = new Set<string>();
  const reserves = [...RESERVES];
  const find = async (kind: StoryKind): Promise<Story | null> => {
    const candidates = [...chronicle.published]
      .map(([customerId, changes]) => ({ customerId, changes, fit: kind.fit(changes) }))
      .filter(({ fit }) => fit > 0)
      .toSorted(
        (a, b) =>
          Number(taken.has(a.customerId)) - Number(taken.has(b.customerId)) ||
          b.fit - a.fit ||
          (a.customerId < b.customerId ? -1 : 1),
      );
    for (const { customerId, changes } of candidates.slice(0, GREATEST_TRIES)) {
      const teller = await protagonist(customerId, changes);
      const story = teller === null ? null : kind.tell(teller);
      if (story === null) continue;
      taken.add(customerId);
      return story;
    }
    return null;
  };
  const chosen: StoryOrAbsence[] = [];
  for (const kind of STORY_KINDS) {
    const story = await find(kind);
    if (story !== null) {
      chosen.push({ kind: "story", story, insteadOf: null });
      continue;
    }
    let replacement: Story | null = null;
    while (replacement === null) {
      const reserve = reserves.shift();
      if (reserve === undefined) break;
      replacement = await find(reserve);
    }
    chosen.push(
      replacement === null
        ? { kind: "absence", text: kind.absence }
        : { kind: "story", story: replacement, insteadOf: kind.absence },
    );
  }
  return chosen;
}
