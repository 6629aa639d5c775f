/** What orders the versions of one fact (S2.1). */
export interface Versioned {
  readonly at: number;
  readonly revision: number;
  readonly eventId: string;
}

/** True when `a` beats `b`: the greater (revision, occurredAt, eventId). */
function beats(a: Versioned, b: Versioned): boolean {
  if (a.revision !== b.revision) return a.revision > b.revision;
  if (a.at !== b.at) return a.at > b.at;
  return a.eventId > b.eventId;
}

/**
 * Files a version, ascending by (at, eventId). Versions that lose are kept too: an erasure may take the winner away, and a
 * version counts from its own instant on, whenever it arrives.
 * @returns the list with it; null when this very version is there already
 */
export function withVersion<T extends Versioned>(versions: readonly T[], added: T): readonly T[] | null {
  if (versions.length === 0) return [added];
  let index = versions.length;
  for (; index > 0; index--) {
    const before = versions[index - 1];
    if (before === undefined || before.at < added.at) break;
    if (before.at > added.at) continue;
    if (before.eventId === added.eventId && before.revision === added.revision) return null;
    if (before.eventId < added.eventId) break;
  }
  return versions.toSpliced(index, 0, added);
}

/** The version in force at an instant: of those seen by then the one that beats the others; undefined before the first. */
export function versionAt<T extends Versioned>(versions: readonly T[], at: number): T | undefined {
  const only = versions[0];
  if (versions.length <= 1) return only === undefined || only.at > at ? undefined : only;
  let best: T | undefined;
  for (const version of versions) {
    if (version.at > at) break;
    if (best === undefined || beats(version, best)) best = version;
  }
  return best;
}
