import { setTimeout as sleep } from "node:timers/promises";
import { accepts } from "../../src/app/stack/ports.ts";
import { isAlive, type Child } from "../../src/app/stack/processes.ts";

/** Kills a server and waits until it is gone and its port is free: the last of its threads closes it. */
export async function killChild(child: Child): Promise<void> {
  if (isAlive(child)) process.kill(child.pid, "SIGKILL");
  while (isAlive(child) || (await accepts(child.port))) await sleep(10);
}
