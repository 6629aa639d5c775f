import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type Child } from "../../src/app/stack/processes.ts";

/** Kills a server and waits until it is gone: until then its port is taken. */
export async function killChild(child: Child): Promise<void> {
  if (isAlive(child)) process.kill(child.pid, "SIGKILL");
  while (isAlive(child)) await sleep(10);
}
