// The times of the kernel's phases, counted from the page's navigation start. Worker and page have
// clocks of different origin; performance.timeOrigin connects them.
import type { Phase, PhaseName } from '../../kernel';

export class Phases {
  readonly #origin: number;
  readonly #reached: Phase[] = [];
  readonly #onPhase: (phase: Phase) => void;

  /** `origin` is the page's performance.timeOrigin. */
  constructor(origin: number, onPhase: (phase: Phase) => void) {
    this.#origin = origin;
    this.#onPhase = onPhase;
  }

  /** Records a phase, the first time only; `at` is a time of this thread's clock. */
  reach(name: PhaseName, detail = '', at = performance.now()): void {
    if (this.at(name) !== null) return;
    const phase: Phase = { name, at: Math.round((performance.timeOrigin + at - this.#origin) * 10) / 10, detail };
    this.#reached.push(phase);
    this.#onPhase(phase);
  }

  at(name: PhaseName): number | null {
    return this.#reached.find((phase) => phase.name === name)?.at ?? null;
  }

  all(): Phase[] {
    return this.#reached.map((phase) => ({ ...phase }));
  }
}
