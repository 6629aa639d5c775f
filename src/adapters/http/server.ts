import fastify, { type FastifyReply } from "fastify";
import { ClientelaError } from "../../pipeline/errors.ts";

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** What keeps the process from being ready; empty: it is. */
  troubles(): readonly string[] | Promise<readonly string[]>;
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface HttpServer {
  readonly address: string;
  close(): Promise<void>;
}

/** Health and metrics (I5). Errors are problem details (RFC 9457). */
export async function startHttpServer(options: HttpOptions): Promise<HttpServer> {
  const server = fastify({
    logger: false,
    // A connection on which nobody asks anything would hold up the stop.
    forceCloseConnections: true,
    // What is no request at all never reaches a handler.
    frameworkErrors: (error, _request, reply) => void sendError(error, reply),
  });
  server.get("/livez", () => ({ status: "alive" }));
  server.get("/readyz", async (_request, reply) => {
    const troubles = await options.troubles();
    if (troubles.length === 0) return { status: "ready" };
    return reply
      .code(503)
      .type("application/problem+json")
      .send({ type: "about:blank", title: "Not ready", status: 503, detail: troubles.join("; "), troubles });
  });
  server.get("/metrics", async (_request, reply) => {
    const { contentType, body } = await options.metrics();
    return reply.type(contentType).send(body);
  });
  server.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type("application/problem+json")
      .send({
        type: "about:blank",
        title: "Not found",
        status: 404,
        detail: `there is nothing at ${request.url}`,
      }),
  );
  server.setErrorHandler((error, _request, reply) => sendError(error, reply));
  try {
    const address = await server.listen({ host: options.host, port: options.port });
    return { address, close: () => server.close() };
  } catch (cause) {
    throw new ClientelaError(
      "HTTP_PORT",
      `can't serve HTTP on ${options.host}:${options.port}: ${cause instanceof Error ? cause.message : String(cause)}. Set CLIENTELA_HTTP_PORT`,
      { retriable: false, cause },
    );
  }
}

/** What the client did wrong is told; what failed inside is not. */
function sendError(error: unknown, reply: FastifyReply): FastifyReply {
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  const isClients = status >= 400 && status < 500;
  const problem = isClients
    ? { type: "about:blank", title: "Bad request", status, detail: (error as Error).message }
    : { type: "about:blank", title: "Internal error", status: 500 };
  return reply.code(problem.status).type("application/problem+json").send(problem);
}
