import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy before a broker that can be away. */
export interface FlakyBroker {
  /** Where clients find every broker, whatever the brokers say of themselves. */
  readonly port: number;
  /** Breaks every connection and takes no new one. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

export async function startFlakyBroker(target: string): Promise<FlakyBroker> {
  const [host = "", targetPort = ""] = target.split(":");
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  let port = 0;

  function accept(client: Socket): void {
    const upstream = connect(Number(targetPort), host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  }

  const proxy: FlakyBroker = {
    get port() {
      return port;
    },
    async down() {
      const closing = server;
      server = null;
      if (closing === null) return;
      const closed = new Promise((resolve) => closing.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async up() {
      const next = createServer(accept);
      server = next;
      await new Promise<void>((resolve) => next.listen(port, "127.0.0.1", resolve));
      port = (next.address() as { port: number }).port;
    },
    close: () => proxy.down(),
  };
  await proxy.up();
  return proxy;
}
