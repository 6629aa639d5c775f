import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A TCP proxy before a server that can lose answers, be slow, stand still, break connections, and be away. */
export interface TcpProxy {
  /** Where clients find the server; stays the same. */
  readonly port: number;
  /** Port of the server on loopback: another one for connections to come. */
  targetPort: number;
  /** While true, what the server answers is thrown away. */
  swallowsAnswers: boolean;
  /** While true, nothing is passed on in either direction; it is passed on later, in order. */
  isFrozen: boolean;
  /** What is passed on waits for so long, in each direction. */
  delayMs: number;
  /** How often this text has been seen on its way to the server. Only of a proxy that `remembers`. */
  requests(text: string): number;
  /** Breaks every connection. */
  cut(): void;
  /** Stops listening; breaks every connection. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** While frozen a proxy looks this often whether it still is. */
const FROZEN_POLL_MS = 20;

/** @param remembers keeps everything that clients send in memory, for `requests` */
export async function startTcpProxy(
  targetPort: number,
  { remembers = false }: { readonly remembers?: boolean } = {},
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let seen = "";
  let listenPort = 0;
  let server: Server | null = null;

  const proxy: TcpProxy = {
    get port() {
      return listenPort;
    },
    targetPort,
    swallowsAnswers: false,
    isFrozen: false,
    delayMs: 0,
    requests(text) {
      if (!remembers) throw new Error("this proxy does not remember what it has seen");
      return seen.split(text).length - 1;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async down() {
      const closing = server;
      server = null;
      if (closing === null) return;
      const closed = new Promise((resolve) => closing.close(resolve));
      proxy.cut();
      await closed;
    },
    async up() {
      if (server !== null) return;
      const next = createServer(accept);
      server = next;
      await new Promise<void>((resolve) => next.listen(listenPort, "127.0.0.1", resolve));
      listenPort = (next.address() as { port: number }).port;
    },
  };

  function accept(client: Socket): void {
    const upstream = connect(proxy.targetPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    const toServer = orderly((bytes) => upstream.write(bytes));
    const toClient = orderly((bytes) => {
      if (!proxy.swallowsAnswers) client.write(bytes);
    });
    client.on("data", (bytes) => {
      if (remembers) seen += bytes.toString("latin1");
      toServer(bytes);
    });
    upstream.on("data", toClient);
  }

  /** Passes bytes on at once, or after the delay and the frost, but always in their order. */
  function orderly(pass: (bytes: Buffer) => void): (bytes: Buffer) => void {
    let waiting = 0;
    let last = Promise.resolve();
    return (bytes) => {
      if (waiting === 0 && !proxy.isFrozen && proxy.delayMs === 0) {
        pass(bytes);
        return;
      }
      waiting++;
      const { delayMs } = proxy;
      const dueAt = Date.now() + delayMs;
      last = last.then(async () => {
        if (delayMs > 0) await sleep(Math.max(0, dueAt - Date.now()));
        while (proxy.isFrozen) await sleep(FROZEN_POLL_MS);
        pass(bytes);
        waiting--;
      });
    };
  }

  await proxy.up();
  return proxy;
}
