import { DAY_MS, instant, type Instant } from "../../shared/instant.ts";
import { CONSUMER_PERSONAS } from "./consumer-personas.ts";
import { DEALER_PERSONAS } from "./dealer-personas.ts";
import type { Persona } from "./persona.ts";
import { Random } from "./random.ts";

/** Every kind of customer there is. */
export const PERSONAS: readonly Persona[] = [...CONSUMER_PERSONAS, ...DEALER_PERSONAS];

/** One simulated customer. */
export interface Member {
  readonly customerId: string;
  /** 0 for the first; also its source of randomness. */
  readonly index: number;
  readonly persona: Persona;
  readonly joinsAt: Instant;
  /** Whom it names on its first order. */
  readonly referredBy: string | null;
}

/** Ids begin here: `C-1001` is the first. */
const FIRST_ID = 1001;
/** A source of randomness of its own, apart from those of the customers. */
const CAST_STREAM = -1;
/** Someone who recommends the shop has been a customer for so long. */
const REFERS_AFTER_MS = 60 * DAY_MS;
const REFERRED_CHANCE = 0.35;

/**
 * Who takes part: personas in their shares (the largest remainders fill up, so that each has a member as soon as there are as
 * many customers as personas), in random order. O(customers).
 */
export function castOf(options: {
  readonly seed: number;
  readonly customers: number;
  readonly startAt: Instant;
}): Member[] {
  const random = new Random(options.seed, CAST_STREAM);
  const roles = random.shuffled(roleShares(options.customers));
  const members = roles.map((persona, index): Member => {
    const joinsAfterMs = Math.round(random.between(persona.joinsAfterDays) * DAY_MS);
    return {
      customerId: `C-${FIRST_ID + index}`,
      index,
      persona,
      joinsAt: instant(options.startAt + joinsAfterMs),
      referredBy: null,
    };
  });
  const recommenders = members.filter(({ persona }) => persona.refers === true);
  return members.map((member) => {
    if (member.persona.mayBeReferred !== true || recommenders.length === 0) return member;
    const recommender = random.pick(recommenders);
    const isReferred = random.chance(REFERRED_CHANCE);
    if (!isReferred || recommender.joinsAt + REFERS_AFTER_MS > member.joinsAt) return member;
    return { ...member, referredBy: recommender.customerId };
  });
}

function roleShares(customers: number): Persona[] {
  const parts = PERSONAS.reduce((sum, persona) => sum + persona.parts, 0);
  const least = customers >= PERSONAS.length ? 1 : 0;
  const shares = PERSONAS.map((persona) => {
    const exact = (customers * persona.parts) / parts;
    return { persona, exact, count: Math.max(Math.floor(exact), least) };
  });
  const open = (): number => customers - shares.reduce((sum, { count }) => sum + count, 0);
  const byNeed = [...shares].sort((a, b) => b.exact - b.count - (a.exact - a.count));
  for (let i = 0; open() > 0; i++) {
    const share = byNeed[i % byNeed.length];
    if (share !== undefined) share.count++;
  }
  // Members given to small personas beyond their share are taken from the largest ones.
  while (open() < 0) {
    const largest = shares.reduce((a, b) => (b.count > a.count ? b : a));
    largest.count--;
  }
  return shares.flatMap(({ persona, count }) => Array.from({ length: count }, () => persona));
}
