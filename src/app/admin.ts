import type { Admin } from "kafkajs";
import { kafkaFailure } from "../adapters/kafka/failures.ts";
import type { Logger } from "../pipeline/options.ts";
import { kafkaClient, type Servers } from "./compose-kafka.ts";

/**
 * Lends an admin connection for a piece of work and ends it, whatever happens: one left open keeps the process from ending.
 * Throws ClientelaError that says what was being done.
 */
export async function withAdmin<T>(
  servers: Servers,
  logger: Logger,
  doing: string,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = kafkaClient(servers, logger).admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw kafkaFailure(doing, error);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
