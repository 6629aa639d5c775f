import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Whether a file of a dependency is, byte for byte, the one that a patch was written for. */
export function isKnownSource(path: string, sha256: string): boolean {
  return hash("sha256", readFileSync(path)) === sha256;
}
