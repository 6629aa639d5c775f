import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `clientela needs Node 22.18 or newer, this is ${process.versions.node}: in its folder 'npx clientela' and npm scripts use the one that npm installed\n`,
  );
  process.exitCode = 2;
} else {
  // Compiled modules are kept, where Node keeps them unless told otherwise: from the second start on, starting takes a third. Threads
  // learn of it by the variable alone. Without a temporary folder Node might try to make one for ever.
  if (existsSync(tmpdir())) {
    process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache");
    enableCompileCache();
  }
  const { createProgram, EXIT, runProgram } = await import("./cli/program.ts");
  // The reader of a pipe may have seen enough.
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? EXIT.done : EXIT.failed),
  );
  process.exitCode = await runProgram(createProgram, process.argv.slice(2));
  // A request that a dead server never answers would keep the process alive; what is written must still get out.
  const leave = (): void => {
    if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
  };
  setInterval(leave, 500).unref();
}
