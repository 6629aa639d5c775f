import { SingleBar } from "cli-progress";

/** Progress of a long command on stderr: only where a person looks at a terminal. */
export class Progress {
  readonly #bar: SingleBar | null;
  readonly #startedAt = performance.now();

  constructor(unit: string) {
    this.#bar = process.stderr.isTTY
      ? new SingleBar({
          format: `{bar} {percentage}% | {count} ${unit} | {rate}/s | {eta_formatted} left`,
          stream: process.stderr,
          hideCursor: true,
          etaBuffer: 50,
        })
      : null;
    this.#bar?.start(1, 0, { count: 0, rate: 0 });
  }

  /** `total` null: nobody knows how much there is. */
  update(count: number, done: number, total: number | null): void {
    if (this.#bar === null) return;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    if (total !== null) this.#bar.setTotal(total);
    this.#bar.update(total === null ? 0 : done, {
      count,
      rate: Math.round(count / Math.max(seconds, 0.001)),
    });
  }

  stop(): void {
    this.#bar?.stop();
  }
}
