import type { Hysteresis, Profile } from "./policy.ts";
import { DAY_MS } from "../shared/instant.ts";

/** What is wrong with a policy file, and where (JSON pointer). */
export interface PolicyProblem {
  readonly path: string;
  readonly message: string;
}

/** What must hold between the values of resolved profiles. */
export function checkProfiles(profiles: readonly Profile[]): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  profiles.forEach((profile, i) => {
    const path = `/profiles/${i}`;
    const isLast = i === profiles.length - 1;
    if (isLast && profile.match !== null) {
      problems.push({
        path: `${path}/match`,
        message: "the last profile must take everybody: leave match out",
      });
    }
    if (!isLast && profile.match === null) {
      problems.push({
        path,
        message: "takes everybody, so the profiles after it are never used: give it a match",
      });
    }
    if (profiles.findIndex(({ name }) => name === profile.name) !== i) {
      problems.push({ path: `${path}/name`, message: `${profile.name} is there twice` });
    }
    problems.push(...checkProfile(profile, path));
  });
  return problems;
}

function checkProfile(profile: Profile, path: string): PolicyProblem[] {
  const { lapse, payment, account, patron, value } = profile;
  const problems: PolicyProblem[] = [];
  const hysteresis = (at: string, { enter, hold }: Hysteresis, unit = 1): void => {
    if (hold > enter) {
      problems.push({
        path: `${path}/${at}/hold`,
        message: `${hold / unit} is greater than enter ${enter / unit}: what holds a rung can't be harder than what enters it`,
      });
    }
  };
  hysteresis("account/occasions", account.occasions);
  hysteresis("account/spanDays", account.spanMs, DAY_MS);
  hysteresis("account/categories", account.categories);
  hysteresis("patron/revenueMinor", patron.revenueMinor);
  const ordered = (at: string, least: number, most: number, message: string): void => {
    if (least > most) problems.push({ path: `${path}/${at}`, message });
  };
  ordered("lapse/minDays", lapse.minMs, lapse.maxMs, "is greater than maxDays");
  ordered("payment/slowDays", payment.slowDays, payment.badDays, "is greater than badDays");
  ordered("value/bMinor", value.bMinor, value.aMinor, "is greater than aMinor");
  return problems;
}
