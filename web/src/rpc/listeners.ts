// The listeners to events. One that throws does not affect the others.
import type { KernelEvent } from '../../kernel';

export type Listener = (event: KernelEvent) => void;

export class Listeners {
  readonly #byType = new Map<string, Set<Listener>>();

  /** Adds `listener` for `type`, or '*' for all. Returns a function that removes it. */
  on(type: string, listener: Listener): () => void {
    // A wrapper, so that the same function may be added twice and removed once.
    const own: Listener = (event) => listener(event);
    const set = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, set.add(own));
    return () => {
      set.delete(own);
      if (set.size === 0 && this.#byType.get(type) === set) this.#byType.delete(type);
    };
  }

  emit(event: KernelEvent): void {
    for (const type of [event.type, '*']) {
      for (const listener of [...(this.#byType.get(type) ?? [])]) {
        try {
          listener(event);
        } catch (thrown) {
          console.error(`inos: a listener of '${type}' threw`, thrown);
        }
      }
    }
  }
}
