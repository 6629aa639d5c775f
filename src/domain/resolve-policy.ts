import { codes, code as currencyOf } from "currency-codes";
import { DAY_MS } from "../shared/instant.ts";
import { calendarOf } from "./calendar.ts";
import { B2B, B2C } from "./default-profiles.ts";
import type { DatedRate, Policy, Profile } from "./policy.ts";
import { checkProfiles, type PolicyProblem } from "./policy-checks.ts";
import type { PolicyFile, ProfileFile } from "./policy-file-format.ts";

export type { PolicyProblem } from "./policy-checks.ts";

/** Hex SHA-256 of a text: injected, because the domain has no crypto of its own. */
export type Sha256 = (text: string) => string;

/**
 * A policy file with its defaults filled in (I4, S5.3), or everything that is wrong with it. The file has passed the schema:
 * here are the rules that a schema can't state.
 */
export function resolvePolicy(
  file: PolicyFile,
  sha256: Sha256,
): { readonly policy: Policy } | { readonly problems: readonly PolicyProblem[] } {
  const problems: PolicyProblem[] = [];
  const timezone = file.timezone ?? "UTC";
  try {
    calendarOf(timezone);
  } catch {
    problems.push({ path: "/timezone", message: `${timezone} is not an IANA time zone` });
  }
  const baseCurrency = file.baseCurrency ?? "EUR";
  const baseDigits = digitsOf(baseCurrency);
  if (baseDigits === null)
    problems.push({ path: "/baseCurrency", message: `${baseCurrency} is not an ISO 4217 code` });
  const rates = new Map<string, DatedRate[]>();
  for (const [currency, dated] of Object.entries(file.rates ?? {})) {
    const digits = digitsOf(currency);
    const path = `/rates/${currency}`;
    if (digits === null) problems.push({ path, message: "is not an ISO 4217 code" });
    if (currency === baseCurrency) problems.push({ path, message: "is the base currency, whose rate is 1" });
    if (digits === null || baseDigits === null) continue;
    const list = dated.map(({ from, rate }) => exactRate(Date.parse(from), rate, baseDigits - digits));
    list.sort((a, b) => a.fromAt - b.fromAt);
    list.forEach(({ fromAt }, i) => {
      if (i > 0 && list[i - 1]?.fromAt === fromAt) {
        problems.push({ path, message: `has two rates from ${new Date(fromAt).toISOString()}` });
      }
    });
    rates.set(currency, list);
  }
  const profiles = (file.profiles ?? [{ name: "B2B" }, { name: "B2C" }]).map(resolveProfile);
  problems.push(...checkProfiles(profiles));
  if (problems.length > 0) return { problems };
  const rules = {
    timezone,
    baseCurrency,
    horizonMs: (file.horizonDays ?? 1096) * DAY_MS,
    erasureMarkerMs: (file.erasureMarkerDays ?? 30) * DAY_MS,
    liveWithinMs: (file.liveWithinHours ?? 24) * 3_600_000,
    rates,
    profiles,
  };
  return { policy: { version: file.version, hash: sha256(canonical(rules)), ...rules } };
}

/** The policy without a file: EUR, UTC, profiles B2B and B2C. */
export function defaultPolicy(sha256: Sha256): Policy {
  const resolved = resolvePolicy({ version: "default" }, sha256);
  if ("problems" in resolved) throw new Error("the built-in policy is sound");
  return resolved.policy;
}

const BUILT_IN: ReadonlyMap<string, Profile> = new Map([
  ["B2B", B2B],
  ["B2C", B2C],
]);

/** A profile states what differs from the built-in profile of its name, or of B2C where there is none (I4). */
function resolveProfile(file: ProfileFile): Profile {
  const builtIn = BUILT_IN.get(file.name) ?? { ...B2C, name: file.name };
  const { lapse, payment, account, patron, value } = file;
  const days = (value: number | undefined, builtInMs: number): number =>
    value === undefined ? builtInMs : Math.round(value * DAY_MS);
  return {
    name: file.name,
    match: file.match ?? builtIn.match,
    lapse: {
      factor: lapse?.factor ?? builtIn.lapse.factor,
      priorGapMs: days(lapse?.priorGapDays, builtIn.lapse.priorGapMs),
      priorWeight: lapse?.priorWeight ?? builtIn.lapse.priorWeight,
      minMs: days(lapse?.minDays, builtIn.lapse.minMs),
      maxMs: days(lapse?.maxDays, builtIn.lapse.maxMs),
      firstMs: days(lapse?.firstDays, builtIn.lapse.firstMs),
    },
    interestMs: days(file.interestDays, builtIn.interestMs),
    surveyMs: days(file.surveyDays, builtIn.surveyMs),
    fitThreshold: file.fitThreshold ?? builtIn.fitThreshold,
    idealCustomer: wholeWeights(file.idealCustomer ?? builtIn.idealCustomer),
    payment: {
      slowDays: payment?.slowDays ?? builtIn.payment.slowDays,
      badDays: payment?.badDays ?? builtIn.payment.badDays,
      overdueMs: days(payment?.overdueDays, builtIn.payment.overdueMs),
    },
    account: {
      occasions: { ...builtIn.account.occasions, ...account?.occasions },
      spanMs: {
        enter: days(account?.spanDays?.enter, builtIn.account.spanMs.enter),
        hold: days(account?.spanDays?.hold, builtIn.account.spanMs.hold),
      },
      categories: { ...builtIn.account.categories, ...account?.categories },
    },
    patron: {
      revenueMinor: { ...builtIn.patron.revenueMinor, ...patron?.revenueMinor },
      tenureMs: days(patron?.tenureDays, builtIn.patron.tenureMs),
    },
    value: { ...builtIn.value, ...value },
    levers: { ...builtIn.levers, ...file.levers },
  };
}

/** Weights count only by their ratios: as integers their sums are exact, and a fit of just the threshold reaches it (S1, S5.2). */
function wholeWeights(criteria: Profile["idealCustomer"]): Profile["idealCustomer"] {
  const decimals = Math.max(0, ...criteria.map(({ weight }) => decimalsOf(weight)));
  return criteria.map((criterion) => ({
    ...criterion,
    weight: Math.round(criterion.weight * 10 ** decimals),
  }));
}

function decimalsOf(value: number): number {
  const [mantissa = "0", exponent = "0"] = String(value).split("e");
  return (mantissa.split(".")[1]?.length ?? 0) - Number(exponent);
}

const ISO_CODES: ReadonlySet<string> = new Set(codes());

/** Minor digits of ISO 4217; null: no such currency. */
function digitsOf(currency: string): number | null {
  return ISO_CODES.has(currency) ? (currencyOf(currency)?.digits ?? null) : null;
}

/** A quoted rate as an exact ratio of minor units: the decimal text of the number is what was meant (I4). */
function exactRate(fromAt: number, rate: number, digits: number): DatedRate {
  const [mantissa = "0", exponent = "0"] = String(rate).split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const shift = Number(exponent) - fraction.length + digits;
  const value = BigInt(whole + fraction);
  return shift >= 0
    ? { fromAt, numerator: value * 10n ** BigInt(shift), denominator: 1n }
    : { fromAt, numerator: value, denominator: 10n ** BigInt(-shift) };
}

/** JSON with sorted keys: equal rules give equal texts, whatever the order in the file. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return part.toString();
    if (part instanceof Map)
      return Object.fromEntries([...(part as Map<string, unknown>)].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (part === null || typeof part !== "object" || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
