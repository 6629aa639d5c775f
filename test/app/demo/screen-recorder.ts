import type { Screen } from "../../../src/app/demo/screen.ts";

/** A screen that keeps what was written on it. */
export function recordingScreen(options: Partial<Omit<Screen, "write">> = {}): Screen & { text(): string } {
  let text = "";
  return {
    isTTY: false,
    columns: 80,
    color: false,
    ...options,
    write: (part) => {
      text += part;
    },
    text: () => text,
  };
}
