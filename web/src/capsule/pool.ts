// The Workers that wait for the next capsule: a spare whose script is loaded, which is most of a
// spawn's time, and those whose capsule has returned. Nothing of that capsule is left: its
// instance, with its globals and tables, is gone. Its memory, which another instance of the same
// size may get, is all zeros again before that starts.

import type { Message } from './protocol';

/** The time after a spawn before the next spare is prepared: the new capsule gets the processor first. */
const PrepareAfterMs = 50;
/** How many may wait after their capsule has returned: as many as a node has slots. */
const IdleAtMost = 8;
/** How long such a Worker waits at most. */
const IdleMs = 10_000;
/** Filling more pages than this with zeros takes longer than making another memory. */
const WipedPages = 64;

export interface PooledWorker {
  readonly worker: Worker;
  /** Name of the Web Lock that the Worker holds for as long as it lives. */
  readonly lock: string;
  readonly url: string;
  /** Its memory, if it has had a capsule: of minPages, and never grown. */
  memory?: { readonly raw: WebAssembly.Memory; readonly minPages: number; readonly maxPages: number };
}

export class WorkerPool {
  /** How many capsules started on the spare, and how many on a Worker that had had one before. */
  used = 0;
  reused = 0;
  private wanted = false;
  private serial = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private sweep: ReturnType<typeof setTimeout> | undefined;
  private spare: PooledWorker | undefined;
  private idle: { readonly pooled: PooledWorker; readonly since: number }[] = [];

  constructor(
    private readonly url: URL,
    private readonly locks: string,
  ) {}

  /** 1 while there is a spare. */
  get count(): number {
    return this.spare === undefined ? 0 : 1;
  }

  /** How many wait that have had a capsule. */
  get waiting(): number {
    return this.idle.length;
  }

  /** A Worker that has had a capsule, with a memory of exactly these limits, if there is one. */
  again(minPages: number, maxPages: number): PooledWorker | undefined {
    const at = this.idle.findLastIndex(
      ({ pooled }) =>
        pooled.url === this.url.href && pooled.memory?.minPages === minPages && pooled.memory.maxPages === maxPages,
    );
    if (at < 0) return undefined;
    this.reused++;
    const pooled = this.idle.splice(at, 1)[0]!.pooled;
    pooled.worker.onerror = null;
    return pooled;
  }

  /** The spare if there is one, else a new Worker. The next spare follows. */
  take(): PooledWorker {
    const spare = this.spare;
    this.spare = undefined;
    if (this.wanted) this.prepare();
    if (spare?.url !== this.url.href) {
      spare?.worker.terminate();
      return this.start();
    }
    this.used++;
    return spare;
  }

  /**
   * Takes a Worker back whose capsule has returned, with its memory, which is no longer read or
   * written. False if it is not needed, or if its memory has grown: that cannot be undone, and the
   * next capsule would see it. Then the caller ends it.
   */
  give(pooled: PooledWorker, raw: WebAssembly.Memory, minPages: number, maxPages: number): boolean {
    const grown = raw.grow(0) !== minPages;
    if (!this.wanted || grown || minPages > WipedPages || pooled.url !== this.url.href) {
      if (this.wanted) this.prepare(0); // the capsule no longer needs the processor
      return false;
    }
    pooled.memory = { raw, minPages, maxPages };
    pooled.worker.onmessage = null;
    pooled.worker.onerror = (e) => {
      e.preventDefault();
      this.idle = this.idle.filter((other) => other.pooled !== pooled);
      pooled.worker.terminate();
    };
    const wipe: Message = { kind: 'wipe' };
    pooled.worker.postMessage(wipe);
    this.idle.push({ pooled, since: performance.now() });
    if (this.idle.length > IdleAtMost) this.idle.shift()!.pooled.worker.terminate();
    this.sweep ??= setTimeout(() => this.expire(), IdleMs);
    return true;
  }

  /** Ends the waiting Workers that have a memory: the browser has none left for an instance. */
  shed(): void {
    for (const { pooled } of this.idle.splice(0)) pooled.worker.terminate();
  }

  /** Whether to keep Workers from now on. If not, the waiting ones end. */
  keep(wanted: boolean): void {
    this.wanted = wanted;
    if (wanted) {
      this.prepare();
      return;
    }
    clearTimeout(this.timer);
    clearTimeout(this.sweep);
    this.timer = this.sweep = undefined;
    this.drop();
    this.shed();
  }

  private expire(): void {
    const limit = performance.now() - IdleMs;
    while (this.idle.length > 0 && this.idle[0]!.since <= limit) this.idle.shift()!.pooled.worker.terminate();
    const oldest = this.idle[0];
    this.sweep = oldest === undefined ? undefined : setTimeout(() => this.expire(), oldest.since - limit + 1);
  }

  private prepare(afterMs = PrepareAfterMs): void {
    if (this.spare !== undefined || (this.timer !== undefined && afterMs > 0)) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      const spare = this.start();
      this.spare = spare;
      // The next spawn reports a script that does not load: it starts its own Worker.
      spare.worker.onerror = (e) => {
        e.preventDefault();
        if (this.spare === spare) this.drop();
      };
    }, afterMs);
  }

  private start(): PooledWorker {
    const lock = `${this.locks}/${++this.serial}`;
    return { worker: new Worker(this.url, { type: 'module', name: lock }), lock, url: this.url.href };
  }

  private drop(): void {
    this.spare?.worker.terminate();
    this.spare = undefined;
  }
}
