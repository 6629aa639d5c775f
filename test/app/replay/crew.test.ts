import { expect, test } from "vitest";
import { builtInPolicy } from "../../../src/app/policy-file.ts";
import { crewOfThreads } from "../../../src/app/replay/crew.ts";
import { instant } from "../../../src/shared/instant.ts";

test("a thread that fails, and every part it was to do, fails the replay", { timeout: 30_000 }, async () => {
  const crew = crewOfThreads(1, builtInPolicy(), ["f"], ["segments"]);
  const lost = [{ kind: "file", path: "/nowhere/scratch", at: 0, length: 8 }] as const;
  await expect(crew.replay(lost, instant(0))).rejects.toThrow("ENOENT");
  await crew.stop();
  await crew.stop();
});

test("an idle thread that is stopped is no failure, and has no more parts", { timeout: 30_000 }, async () => {
  const crew = crewOfThreads(2, builtInPolicy(), ["f"], ["segments"]);
  expect(await crew.replay([], instant(0))).toMatchObject({ changes: 0, deadLetters: 0, later: 0 });
  await crew.stop();
  await expect(crew.referrals([], instant(0))).rejects.toThrow("ended by itself");
});
