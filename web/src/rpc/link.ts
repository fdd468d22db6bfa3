// The page's connection to the kernel: a Worker, its pending calls, and the proof that it still
// lives.
import type { KernelEvent, KernelInfo, Phase, Status } from '../../kernel';
import type { Kernel } from '../api/console';
import { deferred } from '../deferred';
import { InosFailure, asFailure, type PlainError } from '../errors';
import { Limiter, type Limits } from './limiter';
import { Listeners, type Listener } from './listeners';
import { Pending, again } from './pending';
import type { BootConfig, HostSample } from '../../boot';
import { transferable, type FromKernel, type ToKernel } from './protocol';

/** The part of a Worker that the link uses. */
export interface WorkerPort {
  onmessage: ((event: MessageEvent<FromKernel>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
  postMessage(message: ToKernel, transfer?: Transferable[]): void;
  terminate(): void;
}

export interface LinkOptions {
  /** The limits of each verb's calls. */
  limits?: Partial<Limits>;
  /** How long the kernel may take from start() to ready: its Worker's script, its download and its own start. */
  bootMs?: number;
  /** Resolves when `lock` is free: the Worker that held it is gone. */
  released?: (lock: string, signal: AbortSignal) => Promise<unknown>;
}

export class KernelLink implements Kernel {
  readonly ready: Promise<KernelInfo>;
  readonly joined: Promise<Status>;
  readonly #pending = new Pending();
  readonly #limiter: Limiter;
  readonly #listeners = new Listeners();
  readonly #readiness = deferred<KernelInfo>();
  readonly #joining = deferred<Status>();
  readonly #released: NonNullable<LinkOptions['released']>;
  readonly #bootMs: number;
  readonly #stop = new AbortController();
  #worker: WorkerPort | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #alive = false; // the Worker's script runs
  #ended: InosFailure | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: LinkOptions = {}) {
    this.#limiter = new Limiter(options.limits);
    this.#bootMs = options.bootMs ?? 60_000;
    this.#released = options.released ?? lockReleased;
    this.ready = this.#readiness.promise;
    this.joined = this.#joining.promise;
    this.ready.catch(() => {}); // the page shows it; a console that awaits it gets it
    this.joined.catch(() => {});
  }

  /** The reason that there is no kernel any more; null while there is one. */
  get ended(): InosFailure | null {
    return this.#ended;
  }

  /** Boots the kernel in `worker`, which the link owns from here on. */
  start(worker: WorkerPort, config: BootConfig): void {
    if (this.#ended) {
      worker.terminate();
      return;
    }
    this.#worker = worker;
    worker.onmessage = ({ data }) => this.#heed(data);
    worker.onmessageerror = () => this.#log('error', 'a message of the kernel could not be read');
    worker.onerror = (event) => {
      event.preventDefault();
      const where = event.filename ? ` (${event.filename}:${event.lineno})` : '';
      // Before the Worker has reported, an error means that its script did not load.
      if (!this.#alive)
        this.fail(
          new InosFailure(
            'worker_failed',
            `the kernel's Worker did not start: ${event.message || 'its script did not load'}${where}`,
          ),
        );
      else this.#log('error', `${event.message}${where}`);
    };
    // Runs before the Worker's first message: its script may never load.
    this.#timer = setTimeout(() => {
      const what = this.#alive ? 'the kernel was not ready' : "the kernel's Worker did not run";
      this.fail(new InosFailure('boot_timeout', `${what} after ${this.#bootMs / 1000} s`));
    }, this.#bootMs);
    worker.postMessage({ t: 'boot', config, origin: performance.timeOrigin });
  }

  call(verb: string, args: unknown[]): Promise<unknown> {
    const send = () =>
      this.#pending.open((id) => {
        if (!this.#worker) throw new InosFailure('kernel_crashed', 'the kernel has not been started');
        // Byte arrays among the arguments belong to the call: checkArguments copied them.
        this.#worker.postMessage({ t: 'call', id, verb, args }, transferable(args));
      });
    return this.#limiter.run(verb, args, send);
  }

  on(type: string, listener: Listener): () => void {
    return this.#listeners.on(type, listener);
  }

  sense(sample: HostSample): void {
    this.#worker?.postMessage({ t: 'sense', sample });
  }

  /** Asks the kernel to end and ends its Worker; everything pending rejects with `kernel_closed`. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#worker && !this.#ended) {
        const expired = new Promise((resolve) => setTimeout(resolve, 2000));
        await Promise.race([this.call('close', []).catch(() => {}), expired]);
      }
      this.fail(new InosFailure('kernel_closed', 'the kernel was closed'));
    })();
    return this.#closing;
  }

  /** Ends the link: nothing is left pending, and the Worker is gone. The first reason stays. */
  fail(reason: InosFailure): void {
    if (this.#ended) return;
    this.#ended = reason;
    clearTimeout(this.#timer);
    this.#stop.abort();
    this.#worker?.terminate();
    this.#worker = null;
    this.#readiness.reject(reason);
    this.#joining.reject(reason);
    this.#limiter.end(() => again(reason)); // before there is room for the waiting calls
    this.#pending.end(reason);
    const type = reason.code === 'kernel_closed' ? 'closed' : 'crashed';
    this.#listeners.emit({ type, code: reason.code, message: reason.message });
  }

  #heed(message: FromKernel): void {
    if (this.#ended) return;
    switch (message.t) {
      case 'alive':
        this.#alive = true;
        if (message.lock !== null) this.#watch(message.lock);
        return;
      case 'phase':
        this.#emitPhase(message.phase);
        return;
      case 'ready':
        clearTimeout(this.#timer);
        this.#readiness.resolve(message.info);
        return;
      case 'joined':
        this.#joining.resolve(message.status);
        return;
      case 'apart':
        this.#joining.reject(failure(message.error));
        return;
      case 'result':
        this.#pending.resolve(message.id, message.value);
        return;
      case 'failure':
        this.#pending.reject(message.id, failure(message.error));
        return;
      case 'events':
        for (const event of message.batch) this.#listeners.emit(event);
        this.#worker?.postMessage({ t: 'ack' });
        return;
      case 'ended':
        this.fail(failure(message.error));
        return;
    }
  }

  #watch(lock: string): void {
    this.#released(lock, this.#stop.signal).then(
      () => this.fail(new InosFailure('kernel_crashed', "the kernel's Worker was ended")),
      () => {}, // the link ended first
    );
  }

  #emitPhase(phase: Phase): void {
    this.#listeners.emit({ ...phase, type: 'phase' } as KernelEvent);
  }

  #log(level: string, text: string): void {
    this.#listeners.emit({ type: 'log', level, source: 'shell', text });
  }
}

function failure(error: PlainError): InosFailure {
  return asFailure(error, 'internal');
}

function lockReleased(lock: string, signal: AbortSignal): Promise<unknown> {
  return navigator.locks.request(lock, { signal }, () => {});
}
