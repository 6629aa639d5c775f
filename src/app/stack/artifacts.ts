import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { UsageError } from "../../pipeline/errors.ts";

const run = promisify(execFile);
const POM = fileURLToPath(new URL("../../../pom.xml", import.meta.url));

/** Where the servers' files are. */
export interface Artifacts {
  readonly kafkaJars: string;
  readonly registryDir: string;
  readonly redisServer: string;
}

const INSTEAD =
  "Instead you can use Docker (docker compose up), or your own servers: set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and REDIS_URL";

/**
 * Brings the servers from Maven Central, once for each version of `pom.xml` (about 230 MB, kept in the user's cache folder).
 * Throws UsageError when Java or Maven is missing, saying what to do.
 */
export async function bringArtifacts(onProgress: (text: string) => void): Promise<Artifacts> {
  await checkJava();
  const version = createHash("sha256").update(readFileSync(POM)).digest("hex").slice(0, 12);
  const cache = join(
    process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache"),
    "clientela",
  );
  const dir = join(cache, `stack-${version}`);
  if (!existsSync(dir)) {
    onProgress("fetching Kafka, the schema registry and Redis from Maven Central (once)");
    mkdirSync(cache, { recursive: true });
    const partial = `${dir}.${process.pid}.partial`;
    try {
      await run(
        "mvn",
        [
          "-q",
          "-B",
          "-f",
          POM,
          `-Dstack.dir=${partial}`,
          "dependency:copy-dependencies",
          "dependency:unpack",
        ],
        {
          maxBuffer: 16 * 1024 * 1024,
        },
      );
    } catch (error) {
      rmSync(partial, { recursive: true, force: true });
      throw mavenProblem(error);
    }
    // Somebody else may have finished first: theirs is as good.
    if (existsSync(dir)) rmSync(partial, { recursive: true, force: true });
    else renameSync(partial, dir);
  }
  return {
    kafkaJars: join(dir, "kafka", "*"),
    registryDir: join(dir, "registry"),
    redisServer: await redisServer(join(dir, "redis")),
  };
}

async function checkJava(): Promise<void> {
  let version: string;
  try {
    const { stderr, stdout } = await run("java", ["-version"]);
    version = stderr + stdout;
  } catch {
    throw new UsageError("JAVA_MISSING", [
      `the stack needs Java 17 or newer, and there is no 'java' on the PATH. ${INSTEAD}`,
    ]);
  }
  const major = Number(/version "(\d+)/.exec(version)?.[1] ?? 0);
  if (major < 17) {
    throw new UsageError("JAVA_TOO_OLD", [
      `the stack needs Java 17 or newer, 'java' is version ${major}. ${INSTEAD}`,
    ]);
  }
}

function mavenProblem(error: unknown): UsageError {
  if (error !== null && typeof error === "object" && "code" in error && error.code === "ENOENT") {
    return new UsageError("MAVEN_MISSING", [
      `the stack needs Maven, and there is no 'mvn' on the PATH. ${INSTEAD}`,
    ]);
  }
  const output =
    error !== null && typeof error === "object" && "stdout" in error ? String(error.stdout) : String(error);
  const line = output.split("\n").find((text) => text.includes("[ERROR]")) ?? output.slice(0, 300);
  return new UsageError("MAVEN_FAILED", [`Maven could not bring the servers: ${line.trim()}. ${INSTEAD}`]);
}

/** The system's redis-server when it is 7 or newer, else the one from the jar. */
async function redisServer(dir: string): Promise<string> {
  try {
    const { stdout } = await run("redis-server", ["--version"]);
    if (Number(/v=(\d+)/.exec(stdout)?.[1] ?? 0) >= 7) return "redis-server";
  } catch {
    // None on the PATH: the jar has one.
  }
  const platform = process.platform === "darwin" ? "darwin" : "linux";
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const file = readdirSync(dir).find((name) => name.endsWith(`${platform}-${architecture}`));
  if (file === undefined) {
    throw new UsageError("REDIS_MISSING", [
      `there is no redis-server (7 or newer) on the PATH and none for ${platform}-${architecture} in the jar. ${INSTEAD}`,
    ]);
  }
  const path = join(dir, file);
  chmodSync(path, 0o755);
  return path;
}
