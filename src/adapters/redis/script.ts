import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A Lua script with the digest by which Redis knows it once loaded. What it takes and returns stands in the file's header. */
export interface Script {
  readonly name: string;
  readonly source: string;
  /** SHA-1 of the source, hexadecimal, as EVALSHA wants it. */
  readonly sha: string;
}

function loadScript(name: string): Script {
  const source = readFileSync(new URL(`./${name}.lua`, import.meta.url), "utf8");
  return { name, source, sha: createHash("sha1").update(source).digest("hex") };
}

export const SCRIPTS = {
  acquire: loadScript("acquire"),
  position: loadScript("position"),
  commit: loadScript("commit"),
  clear: loadScript("clear"),
  heads: loadScript("heads"),
  pages: loadScript("pages"),
  due: loadScript("due"),
  customers: loadScript("customers"),
  memory: loadScript("memory"),
} as const;
