import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";

/** Below this, ports are other people's. */
const LEAST_PORT = 20_000;
/** Too few to find a free one among them. */
const LEAST_CHOICE = 1_000;
const TRIES = 100;
/** From here on kernels give ports to whoever asks for any, unless they are set otherwise: Linux from 32 768, others from 49 152. */
const ANY_PORTS_FROM = 32_768;
const ANY_PORTS_FILE = "/proc/sys/net/ipv4/ip_local_port_range";

/** A port that was found free is not given again by this process: whoever got it may not listen there yet. */
const given = new Set<number>();

/**
 * A port of the loopback interface that nobody listens on just now. Servers take seconds to come so far, so it is none of those that
 * the kernel gives to any connection meanwhile, which are those from `end` on; unless it leaves no others.
 */
export async function freePort(end = anyPortsFrom()): Promise<number> {
  for (let tries = 0; tries < TRIES && end - LEAST_PORT >= LEAST_CHOICE; tries++) {
    const port = randomInt(LEAST_PORT, end);
    if (given.has(port) || !(await canListen(port))) continue;
    given.add(port);
    return port;
  }
  return anyPort();
}

/** Whether something accepts connections there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function anyPortsFrom(): number {
  try {
    const [from = ""] = readFileSync(ANY_PORTS_FILE, "utf8").trim().split(/\s+/);
    return Math.min(Number(from), ANY_PORTS_FROM);
  } catch {
    return ANY_PORTS_FROM;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
