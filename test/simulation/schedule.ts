import { Random } from "../../src/app/simulation/random.ts";
import { Shard } from "../../src/pipeline/shard.ts";
import { DAY_MS, instant } from "../../src/shared/instant.ts";
import { ALL_POLICIES, depsOf, POLICY } from "./deps.ts";
import { Eclipses } from "./eclipses.ts";
import { day, drawStory, START, type Moment, type Story } from "./facts.ts";
import { expectNoRefusal, isTextLost, type Owner } from "./owner.ts";
import { drawPlan, type Plan } from "./plan.ts";
import { portsOf, type Ports } from "./ports.ts";
import { Process, Scheduler } from "./scheduler.ts";
import { Broker, ForgetfulStore, type Judge } from "./servers.ts";
import { Tally } from "./tally.ts";
import { verify, Violation } from "./verify.ts";

/** After the last fact: all deadlines of an order have passed (S7), an erasure's marker too. */
const END_DAYS = 900;
/** Owners of one shard that live at once. */
const MOST_OWNERS = 3;
/** Share of the steps amid a change of policy at which another overtakes it. */
const OVERTAKING = 0.03;
/** Far beyond what any schedule needs to come to rest: 400 steps are usual. */
const MOST_STEPS = 60_000;

/** A part of the protocol that is left out on purpose, as far as ports can do it. */
export interface Sabotage {
  ports?(ports: Ports): Ports;
  readonly judge?: Judge;
  readonly fences?: false;
}

export interface Result {
  readonly seed: number;
  readonly plan: Plan;
  /** What went wrong; null: nothing. */
  readonly violation: string | null;
  /** Equal if and only if the same steps were taken. */
  readonly fingerprint: number;
  readonly trace: readonly string[] | null;
  readonly tally: Tally;
}

/** Runs the schedule of a seed: a story, told to processes that come and go, over servers that fail them; and verifies what it came to. */
export async function runSchedule(
  seed: number,
  { trace = false, sabotage = {} }: { trace?: boolean; sabotage?: Sabotage } = {},
): Promise<Result> {
  return await new Schedule(seed, trace, sabotage).run();
}

class Schedule {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #story: Story;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #broker: Broker;
  readonly #store: ForgetfulStore;
  readonly #sabotage: Sabotage;
  readonly #tally = new Tally();
  #owners: Owner[] = [];
  #isStormy = true;
  #isSuccessorDue = false;
  readonly #eclipses: Eclipses;
  #policy = POLICY;
  #names = 0;
  /** Processes are started with the texts of all policies: a person has been told that the store has lost some. */
  #areFormerGiven = false;

  constructor(seed: number, trace: boolean, sabotage: Sabotage) {
    this.#seed = seed;
    this.#sabotage = sabotage;
    const plan = drawPlan(new Random(seed, 1));
    this.#plan = sabotage.fences === false ? { ...plan, weather: { ...plan.weather, fences: false } } : plan;
    this.#story = drawStory(new Random(seed, 2), plan);
    this.#random = new Random(seed, 3);
    this.#scheduler = new Scheduler(this.#random, instant(START), trace);
    const clock = this.#scheduler.clockOf(new Process("broker"));
    this.#broker = new Broker(plan.shards, clock, plan.loss === "nothing" ? "uncommitted" : "all");
    this.#store = new ForgetfulStore(plan.shards, sabotage.judge);
    this.#eclipses = new Eclipses(this.#broker, this.#store);
    if (plan.silentStart) this.#tally.silentStarts++;
    this.#tally.schedules++;
    this.#tally.facts += this.#story.facts.length;
  }

  async run(): Promise<Result> {
    let violation: string | null = null;
    try {
      await this.#live();
      await this.#comeToRest();
      await verify({
        plan: this.#plan,
        story: this.#story,
        broker: this.#broker,
        store: this.#store,
        policy: this.#policy,
        through: this.#scheduler.now,
        isRefolded: this.#tally.refoldScripts > 0,
      });
    } catch (error) {
      if (!(error instanceof Violation))
        throw new Error(`schedule ${this.#seed}: ${String(error)}`, { cause: error });
      violation = error.message;
      this.#scheduler.note(`violation: ${violation}`);
    } finally {
      for (const { process } of this.#owners) process.kill();
    }
    this.#count();
    const { fingerprint, trace } = this.#scheduler;
    return { seed: this.#seed, plan: this.#plan, violation, fingerprint, trace, tally: this.#tally };
  }

  /** The story, amid faults. */
  async #live(): Promise<void> {
    const { moments } = this.#story;
    // A silent first start finds some of the story already told.
    const history = this.#plan.silentStart ? Math.ceil(moments.length / 2) : 0;
    for (const moment of moments.slice(0, history)) await this.#tell(moment, 0);
    this.#fillShards();
    for (const moment of moments.slice(history)) await this.#tell(moment, 40);
    await this.#churn(60);
  }

  async #tell({ at, records, isLate }: Moment, most: number): Promise<void> {
    // Half a day before what is told in time: no deadline of a later instant is applied before it is there.
    this.#scheduler.advanceTo(isLate ? at : instant(at - DAY_MS / 2));
    await this.#churn(this.#random.below(most + 1));
    if (records.length > 0) this.#scheduler.note(`${records.length} records are told`);
    this.#broker.append(records);
    await this.#churn(this.#random.below(2 * most + 1));
  }

  /** Some steps, with what may come between any two of them. */
  async #churn(steps: number): Promise<void> {
    const { owners, losses, policies } = this.#plan.disturbances;
    let idle = 0;
    for (let i = 0; i < steps && idle < 3; i++) {
      if (this.#isStormy && this.#random.chance(owners)) this.#disturbOwners();
      if (this.#isStormy && policies > 0) this.#changePolicyPerhaps(policies);
      if (this.#isStormy) this.#endEclipses();
      if (this.#isSuccessorDue) this.#succeed();
      if (this.#isStormy && losses > 0 && this.#random.chance(losses)) this.#loseWrites();
      if (await this.#scheduler.step()) continue;
      idle++;
      this.#fillShards();
      await this.#scheduler.passTime();
    }
  }

  #fillShards(): void {
    for (let number = 0; number < this.#plan.shards; number++) {
      if (this.#ownersOf(number).every(({ process }) => process.isFrozen)) this.#own(number);
    }
  }

  /** While a script is under way, somebody else takes over. */
  #succeed(): void {
    this.#isSuccessorDue = false;
    for (let number = 0; number < this.#plan.shards; number++) {
      if (this.#ownersOf(number).length < MOST_OWNERS) this.#own(number);
    }
  }

  #ownersOf(number: number): Owner[] {
    return this.#owners.filter(
      (owner) => owner.number === number && owner.ended === undefined && !owner.process.isDead,
    );
  }

  #disturbOwners(): void {
    const random = this.#random;
    const number = random.below(this.#plan.shards);
    const owners = this.#ownersOf(number);
    if (owners.length === 0) {
      this.#own(number);
      return;
    }
    const owner = random.pick(owners);
    const { process, shard } = owner;
    // Two that are awake take the shard from each other for as long as they live.
    const isContended = owners.filter((each) => !each.process.isFrozen).length > 1;
    const what = random.fraction();
    if (process.isFrozen && what < 0.7) this.#thaw(owner);
    else if (!process.isFrozen && what < 0.3) {
      this.#tally.freezes++;
      this.#scheduler.note(`${process.name} freezes`);
      process.freeze();
    } else if (what < (isContended ? 0.7 : 0.5)) {
      this.#tally.kills++;
      this.#tally.crashes.elsewhere++;
      this.#scheduler.note(`${process.name} is killed`);
      process.kill();
    } else if (!process.isFrozen && what < (isContended ? 0.9 : 0.6)) {
      this.#scheduler.note(`${process.name} is told to stop`);
      shard.stop();
    } else if (owners.length < MOST_OWNERS) {
      this.#tally.takeovers++;
      if (random.chance(0.3)) this.#beginEclipse(number);
      this.#own(number);
    }
  }

  #changePolicyPerhaps(share: number): void {
    const isUnderWay = this.#owners.some(({ number }) => this.#broker.committed(number)?.receipt.migrating);
    if (this.#random.chance(isUnderWay ? OVERTAKING : share)) this.#changePolicy();
  }

  #changePolicy(): void {
    this.#tally.policyChanges++;
    this.#policy = this.#random.pick(ALL_POLICIES.filter((policy) => policy !== this.#policy));
    this.#scheduler.note(`from now on processes start with policy ${this.#policy.version}`);
    for (let number = 0; number < this.#plan.shards; number++) {
      const owners = this.#ownersOf(number);
      if (owners.length === MOST_OWNERS || this.#random.chance(0.5))
        for (const { process } of owners) process.kill();
      this.#own(number);
    }
  }

  #thaw({ process }: Owner): void {
    this.#scheduler.note(`${process.name} wakes`);
    process.thaw();
  }

  #beginEclipse(shard: number): void {
    if (this.#plan.loss === "nothing") return;
    this.#eclipses.begin(shard, this.#owners.length, this.#scheduler);
  }

  #endEclipses(): void {
    for (const { shard, writes, owners } of this.#eclipses.takeOver(this.#scheduler.steps)) {
      this.#forget(shard, Math.max(0, this.#store.writes(shard) - writes));
      for (const { number, process } of this.#owners.slice(owners)) if (number === shard) process.kill();
      this.#scheduler.hurry();
    }
  }

  #loseWrites(): void {
    const number = this.#random.below(this.#plan.shards);
    const isAll = this.#plan.loss === "all" && this.#random.chance(0.2);
    if (isAll) this.#tally.wipes++;
    this.#forget(number, isAll ? Infinity : this.#random.integer([1, 6]));
  }

  #forget(shard: number, writes: number): void {
    const lost = this.#store.forget(shard, writes);
    if (lost === 0) return;
    if (writes !== Infinity) this.#tally.regressions++;
    this.#scheduler.note(`the store loses its last ${lost} writes of shard ${shard}`);
  }

  /** A new owner; a former one that still runs is a zombie from then on. */
  #own(number: number): Owner {
    const process = new Process(`p${++this.#names}`);
    this.#scheduler.note(`${process.name} starts on shard ${number}`);
    const ports = this.#portsOf(process, number);
    const shard = new Shard(
      depsOf(process, ports, this.#policy, this.#areFormerGiven, this.#plan, this.#scheduler, this.#tally),
      number,
      ports.log,
    );
    const owner: Owner = { process, number, shard, ended: undefined };
    this.#owners.push(owner);
    shard.run().then(
      () => (owner.ended = null),
      (error: unknown) => {
        owner.ended = error instanceof Error ? error : new Error(String(error));
        if (isTextLost(owner, this.#tally)) this.#areFormerGiven = true;
      },
    );
    return owner;
  }

  #portsOf(process: Process, shard: number): Ports {
    const ports = portsOf({
      shard,
      process,
      scheduler: this.#scheduler,
      broker: this.#broker,
      store: this.#store,
      weather: this.#plan.weather,
      tally: this.#tally,
      isStormy: () => this.#isStormy,
      onLateScript: () => {
        this.#isSuccessorDue = this.#plan.loss !== "nothing";
        this.#beginEclipse(shard);
      },
    });
    return this.#sabotage.ports?.(ports) ?? ports;
  }

  /** No more faults: what is late arrives, all processes leave or die, and one last owner of each shard finishes. */
  async #comeToRest(): Promise<void> {
    this.#scheduler.note("the storm is over");
    this.#isStormy = false;
    for (const owner of this.#owners) if (owner.process.isFrozen) this.#thaw(owner);
    this.#scheduler.hurry();
    await this.#churn(this.#random.below(80));
    const isOrderly = this.#random.chance(0.5);
    for (const { process, shard } of this.#owners) {
      if (isOrderly) shard.stop();
      else process.kill();
    }
    // Some die even now, of a call that was made before.
    const hasLeft = ({ process, ended }: Owner): boolean => process.isDead || ended !== undefined;
    await this.#until(() => this.#owners.every(hasLeft), "all owners have left");
    for (const { process } of this.#owners) process.kill();
    await this.#until(() => this.#scheduler.pending === 0, "all calls have arrived");
    expectNoRefusal(this.#owners, this.#tally);

    const last = this.#story.moments.at(-1)?.at ?? day(0);
    this.#scheduler.advanceTo(instant(last + END_DAYS * DAY_MS));
    await this.#finish();
  }

  /** A last owner of each shard does all there is. */
  async #finish(): Promise<void> {
    // Or the last one might be the first to be told.
    this.#areFormerGiven = this.#plan.loss !== "nothing";
    const finishers = Array.from({ length: this.#plan.shards }, (_, number) => this.#own(number));
    // What one shard commits another may have to fold: all are at rest when none has anything new for a whole round.
    for (let before = -1; before < this.#broker.transactions.length;) {
      before = this.#broker.transactions.length;
      for (const owner of finishers) await this.#settle(owner);
    }
    for (const { shard } of finishers) shard.stop();
    await this.#until(() => finishers.every(({ ended }) => ended !== undefined), "the last owners have left");
    expectNoRefusal(finishers, this.#tally);
  }
  async #settle(owner: Owner): Promise<void> {
    let isDone = false;
    void owner.shard.settled().then(() => (isDone = true));
    await this.#until(
      () => isDone || owner.ended !== undefined,
      `${owner.process.name} has nothing left to do`,
    );
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < MOST_STEPS; i++) {
      if (isSo()) return;
      if (!(await this.#scheduler.step())) await this.#scheduler.passTime();
    }
    throw new Violation(`it never came to pass that ${what}`);
  }

  #count(): void {
    const tally = this.#tally;
    tally.steps += this.#scheduler.steps;
    for (const { output, receipt } of this.#broker.transactions) {
      tally.changes += output.changes.length;
      tally.deadLetters += output.deadLetters.length;
      tally.referrals += output.referrals.length;
      if (receipt.migrating?.over) tally.overtakings++;
    }
  }
}
