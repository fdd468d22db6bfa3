// Events on their way from the Worker to the page: one batch in flight, the rest in a bounded
// queue. A slow page loses heartbeats and profile news first, which later ones replace, and gets
// the number of lost events.
import type { KernelEvent } from '../../kernel';

const SHED_FIRST: ReadonlySet<string> = new Set(['heartbeat', 'node', 'log']);

export class Outbox {
  readonly #limit: number;
  readonly #post: (batch: KernelEvent[]) => void;
  #queue: KernelEvent[] = [];
  #inFlight = false;
  #shed = 0;

  constructor(post: (batch: KernelEvent[]) => void, limit = 512) {
    this.#post = post;
    this.#limit = limit;
  }

  push(event: KernelEvent): void {
    if (this.#queue.length >= this.#limit) {
      const lesser = this.#queue.findIndex((queued) => SHED_FIRST.has(queued.type));
      this.#queue.splice(Math.max(lesser, 0), 1);
      this.#shed++;
    }
    this.#queue.push(event);
    this.#flush();
  }

  acknowledged(): void {
    this.#inFlight = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#inFlight || this.#queue.length === 0) return;
    const batch = this.#queue;
    this.#queue = [];
    if (this.#shed > 0) {
      batch.unshift({ type: 'shed', count: this.#shed });
      this.#shed = 0;
    }
    this.#inFlight = true;
    this.#post(batch);
  }
}
