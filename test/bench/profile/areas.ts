/** Parts of the program that a profile is added up by. */
export const AREAS = [
  "garbage collector",
  "garbage collector and compiler, threads of their own",
  "domain fold",
  "record decoding",
  "state encoding and decoding",
  "output encoding",
  "pipeline",
  "Kafka adapter and kafkajs",
  "Redis adapter and ioredis",
  "start, threads and telemetry",
  "node internals",
  "node internals, threads of their own",
  "unmapped",
] as const;

export type Area = (typeof AREAS)[number];

/** Whoever called it: what many share is no part of its own. */
export const CALLER = "caller";
export const UNMAPPED = "unmapped" satisfies Area;

type Place = Area | typeof CALLER;

/** By the beginning of a file's path, from the root of the project or of its package; the first that fits counts. */
const FILES: readonly (readonly [string, Place])[] = [
  ["src/domain/", "domain fold"],
  ["src/pipeline/", "pipeline"],
  ["src/adapters/avro/decoder.ts", "record decoding"],
  ["src/adapters/avro/registry.ts", "record decoding"],
  ["src/adapters/avro/schemas.ts", CALLER],
  ["src/adapters/avro/bounded-reads.ts", CALLER],
  ["src/adapters/avro/avro-sink.ts", CALLER],
  ["src/adapters/avro/encoder.ts", "output encoding"],
  ["src/adapters/avro/output-writer.ts", "output encoding"],
  ["src/adapters/avro/", "state encoding and decoding"],
  ["src/adapters/kafka/", "Kafka adapter and kafkajs"],
  ["src/adapters/redis/", "Redis adapter and ioredis"],
  ["src/adapters/", "start, threads and telemetry"],
  ["src/app/", "start, threads and telemetry"],
  ["src/cli/", "start, threads and telemetry"],
  ["src/main.ts", "start, threads and telemetry"],
  ["src/shared/", CALLER],
  ["test/bench/", "start, threads and telemetry"],
  ["kafkajs/", "Kafka adapter and kafkajs"],
  ["ioredis/", "Redis adapter and ioredis"],
  ["@ioredis/", "Redis adapter and ioredis"],
  ["redis-", "Redis adapter and ioredis"],
  ["denque/", "Redis adapter and ioredis"],
  ["standard-as-callback/", "Redis adapter and ioredis"],
  ["cluster-key-slot/", "Redis adapter and ioredis"],
  ["@kafkajs/", "record decoding"],
  ["protobufjs/", "record decoding"],
  ["avsc/", CALLER],
  ["prom-client/", "start, threads and telemetry"],
  ["tdigest/", "start, threads and telemetry"],
  ["pino", "start, threads and telemetry"],
  ["sonic-boom/", "start, threads and telemetry"],
  ["commander/", "start, threads and telemetry"],
  ["fast", "start, threads and telemetry"],
  ["ajv", "start, threads and telemetry"],
  ["uuid/", CALLER],
  ["p-retry/", CALLER],
  // Copies are made for somebody.
  ["node:buffer", CALLER],
  ["node:internal/buffer", CALLER],
  ["node:", "node internals"],
  ["wasm:", "node internals"],
];

/** What V8 tells beside functions. */
const META: Readonly<Record<string, Area>> = {
  "(garbage collector)": "garbage collector",
  // Native code that no function stands for, and system calls.
  "(program)": "node internals",
  // Of an allocation profile: made by V8 itself.
  "(V8 API)": "node internals",
  "(BYTECODE_COMPILER)": "node internals",
  "(COMPILER)": "node internals",
  "(PARSER)": "node internals",
  "(EXTERNAL)": "node internals",
  "(LOGGING)": "node internals",
  "(IDLE)": "node internals",
  "(JS)": "node internals",
  "(GC)": "garbage collector",
  "(OTHER)": "node internals",
};

/** A thread by its name in `/proc`; all others of the process are node's own. */
const THREADS: Readonly<Record<string, "script" | "profiler" | Area>> = {
  node: "script",
  MainThread: "script",
  WorkerThread: "script",
  "v8:ProfEvntProc": "profiler",
  SignalInspector: "profiler",
  V8Worker: "garbage collector and compiler, threads of their own",
  DelayedTaskSche: "garbage collector and compiler, threads of their own",
};

export function threadOf(name: string): "script" | "profiler" | Area {
  return THREADS[name] ?? "node internals, threads of their own";
}

/** Where a function belongs by what V8 says of it. Built-in ones and generated code have no file: they are the caller's. */
export function placeOf(functionName: string, file: string): Place {
  if (file !== "") return FILES.find(([beginning]) => file.startsWith(beginning))?.[1] ?? UNMAPPED;
  return META[functionName] ?? CALLER;
}

/** A script's URL as a path from the root of the project, or of the package that it is part of. */
export function fileOf(url: string, root: string): string {
  const path = url.replace(/^file:\/\//, "");
  const inPackage = path.lastIndexOf("/node_modules/");
  if (inPackage >= 0) return path.slice(inPackage + "/node_modules/".length);
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}
