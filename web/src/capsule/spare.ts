// One Worker kept ready for the next capsule: its thread runs and its script is
// loaded, which is most of what a spawn takes. It holds nothing of any capsule
// before its first message and is used for one capsule only.

/** After a spawn, the new capsule gets the processor first. */
const PrepareAfterMs = 50;

export class SpareWorker {
  /** How many capsules started on a spare. */
  used = 0;
  private wanted = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private spare: { readonly worker: Worker; readonly url: string } | undefined;

  constructor(private readonly url: URL) {}

  /** 1 while there is a spare. */
  get count(): number {
    return this.spare === undefined ? 0 : 1;
  }

  /** The spare if there is one, else a new Worker. The next spare follows. */
  take(): Worker {
    const spare = this.spare;
    this.spare = undefined;
    if (this.wanted) this.prepare();
    if (spare?.url !== this.url.href) {
      spare?.worker.terminate();
      return this.start();
    }
    this.used++;
    return spare.worker;
  }

  /** Whether to keep a spare from now on. When not, the one there is ends. */
  keep(wanted: boolean): void {
    this.wanted = wanted;
    if (wanted) return this.prepare();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.drop();
  }

  private prepare(): void {
    if (this.timer !== undefined || this.spare !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      const worker = this.start();
      this.spare = { worker, url: this.url.href };
      // A script that does not load is the next spawn's to report: it starts its own.
      worker.onerror = (e) => {
        e.preventDefault();
        if (this.spare?.worker === worker) this.drop();
      };
    }, PrepareAfterMs);
  }

  private start(): Worker {
    return new Worker(this.url, { type: 'module', name: 'inos-capsule' });
  }

  private drop(): void {
    this.spare?.worker.terminate();
    this.spare = undefined;
  }
}
