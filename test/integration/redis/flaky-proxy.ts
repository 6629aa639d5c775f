import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy before a server that can lose answers, break connections, and be away. */
export interface FlakyProxy {
  readonly url: string;
  /** URL of the server that connections made from now on lead to. */
  target: string;
  /** While true, what the server answers is thrown away. */
  swallowsAnswers: boolean;
  /** How often this text has been seen on its way to the server. */
  requests(text: string): number;
  /** Breaks every connection. */
  cut(): void;
  /** Stops listening; breaks every connection. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export async function startFlakyProxy(target: string): Promise<FlakyProxy> {
  const sockets = new Set<Socket>();
  let seen = "";
  let listenPort = 0;
  let server: Server;

  const proxy: FlakyProxy = {
    get url() {
      return `redis://127.0.0.1:${listenPort}`;
    },
    target,
    swallowsAnswers: false,
    requests: (text) => seen.split(text).length - 1,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async down() {
      const closed = new Promise((resolve) => server.close(resolve));
      proxy.cut();
      await closed;
    },
    up() {
      server = createServer(accept);
      return new Promise((resolve) => {
        server.listen(listenPort, "127.0.0.1", () => {
          listenPort = (server.address() as { port: number }).port;
          resolve();
        });
      });
    },
  };

  function accept(client: Socket): void {
    const { hostname, port } = new URL(proxy.target);
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (bytes) => {
      seen += bytes.toString("latin1");
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (!proxy.swallowsAnswers) client.write(bytes);
    });
  }

  await proxy.up();
  return proxy;
}
