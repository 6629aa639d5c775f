import { describe, expect, test } from "vitest";
import { redisError } from "../../../src/adapters/redis/redis-errors.ts";
import { ClientelaError } from "../../../src/pipeline/errors.ts";

function reply(message: string): Error {
  return Object.assign(new Error(message), { name: "ReplyError" });
}

function named(error: unknown): [code: string, retriable: boolean] | string {
  const found = redisError("committing", error);
  return found instanceof ClientelaError ? [found.code, found.retriable] : found.message;
}

const IN_62 =
  "ERR Error running script (call to f_8e99d48b839d49c9e5ab1c123139cc418d33eceb): @user_script:3: ";

describe("redis errors", () => {
  test.each([
    [reply("LOADING Redis is loading the dataset in memory"), "REDIS_UNAVAILABLE"],
    [reply("READONLY You can't write against a read only replica."), "REDIS_UNAVAILABLE"],
    [
      reply("OOM command not allowed when used memory > 'maxmemory'. script: 8e, on @user_script:3."),
      "REDIS_UNAVAILABLE",
    ],
    [
      reply(`${IN_62}@user_script: 3: -OOM command not allowed when used memory > 'maxmemory'.`),
      "REDIS_UNAVAILABLE",
    ],
    [reply("CLUSTERDOWN Hash slot not served"), "REDIS_UNAVAILABLE"],
    [reply("ERR max number of clients reached"), "REDIS_UNAVAILABLE"],
    [
      new Error("Too many Cluster redirections. Last error: ReplyError: TRYAGAIN Multiple keys request"),
      "REDIS_UNAVAILABLE",
    ],
    [new Error("Command timed out"), "REDIS_TIMEOUT"],
    [new Error("Connection is closed."), "REDIS_UNREACHABLE"],
    [Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }), "REDIS_UNREACHABLE"],
  ])("%s passes", (error, code) => {
    expect(named(error)).toEqual([code, true]);
  });

  test.each([
    [reply("WRONGTYPE Operation against a key holding the wrong kind of value"), "REDIS_KEYS_TAKEN"],
    [reply(`${IN_62}WRONGTYPE Operation against a key holding the wrong kind of value`), "REDIS_KEYS_TAKEN"],
    [reply("NOAUTH Authentication required."), "REDIS_DENIED"],
    [reply("NOPERM this user has no permissions to run the 'evalsha' command"), "REDIS_DENIED"],
    [
      Object.assign(new Error("Failed to refresh slots cache."), {
        lastNodeError: reply("ERR This instance has cluster support disabled"),
      }),
      "REDIS_CLUSTER",
    ],
  ])("%s does not pass by waiting", (error, code) => {
    expect(named(error)).toEqual([code, false]);
  });

  test("an answer nobody foresaw is a bug: no ClientelaError", () => {
    expect(named(reply("ERR wrong number of arguments for 'hset' command"))).toBe(
      "Redis refused committing: ERR wrong number of arguments for 'hset' command",
    );
  });

  test("the cause stays", () => {
    const cause = reply("LOADING");
    expect(redisError("x", cause).cause).toBe(cause);
  });
});
