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

export type Placement = "added" | "duplicate" | "superseded";

/**
 * Puts a version where it belongs in the staircase (see customer-state.ts), in place, and drops those it beats from its own
 * instant on. "superseded": another version, not later, beats it, so it never counts.
 */
export function addVersion<T extends Versioned>(versions: T[], added: T): Placement {
  for (const known of versions) {
    if (known.at === added.at && known.revision === added.revision && known.eventId === added.eventId) {
      return "duplicate";
    }
    if (known.at <= added.at && beats(known, added)) return "superseded";
  }
  let kept = 0;
  for (const known of versions) {
    if (known.at >= added.at && beats(added, known)) continue;
    versions[kept++] = known;
  }
  versions.length = kept;
  let index = kept;
  while (index > 0 && (versions[index - 1]?.at ?? 0) > added.at) index--;
  versions.splice(index, 0, added);
  return "added";
}

/** The version in force at an instant: the last of the staircase that is not later; undefined before the first. */
export function versionAt<T extends Versioned>(versions: readonly T[], at: number): T | undefined {
  for (let i = versions.length - 1; i >= 0; i--) {
    const version = versions[i];
    if (version !== undefined && version.at <= at) return version;
  }
  return undefined;
}
