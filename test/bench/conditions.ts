import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { promisify } from "node:util";
import { bringArtifacts } from "../../src/app/stack/artifacts.ts";

/** Under what a figure was measured: without it, it says nothing. */
export interface Conditions {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  /** System, its version, architecture. */
  readonly platform: string;
  readonly node: string;
  readonly loadBefore: number;
  readonly loadAfter: number;
}

export function conditionsSince(loadBefore: number): Conditions {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${release()} ${process.arch}`,
    node: process.versions.node,
    loadBefore,
    loadAfter: load(),
  };
}

/** Versions of the servers that the stack runs. */
export interface ServerVersions {
  readonly kafka: string;
  readonly registry: string;
  readonly redis: string;
}

const POM = new URL("../../pom.xml", import.meta.url);

/** The broker and the registry are those of pom.xml; Redis may be the system's own, so it is asked. */
export async function serverVersions(): Promise<ServerVersions> {
  const pom = readFileSync(POM, "utf8");
  const versionOf = (artifact: string): string =>
    new RegExp(`<artifactId>${artifact}</artifactId>\\s*<version>(.+?)</version>`).exec(pom)?.[1] ??
    "unknown";
  const { redisServer } = await bringArtifacts(() => undefined);
  const { stdout } = await promisify(execFile)(redisServer, ["--version"]);
  return {
    kafka: versionOf("kafka_2.13"),
    registry: `Apicurio ${versionOf("apicurio-registry-app")}`,
    redis: /v=(\S+)/.exec(stdout)?.[1] ?? "unknown",
  };
}

/** Load average of the last minute: above the benchmark's own, somebody else was at work. */
export function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

const TICKS_PER_SECOND = 100;

/** CPU seconds (user and system) a process has used so far. */
export function cpuSeconds(pid: number): number {
  return cpuSecondsOf(`/proc/${pid}/stat`);
}

/** The same of a process or thread by its file. */
export function cpuSecondsOf(path: string): number {
  const stat = readFileSync(path, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Greatest resident memory of a process so far, in MiB; null once it is gone. */
export function peakMiB(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  } catch {
    return null;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}
