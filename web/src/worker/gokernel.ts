// The Go program in this Worker: boots it, calls its verbs, and notices its end.
import '../../vendor/wasm_exec.js';
import type { KernelEvent, KernelInfo, Status } from '../../kernel';
import type { Kernel } from '../api/console';
import { capsuleHost, type GoProgram } from '../capsule/host';
import capsuleWorkerURL from '../capsule/worker?worker&url';
import { deferred } from '../deferred';
import { InosFailure, asFailure } from '../errors';
import { streamHost } from '../mesh/streams';
import { Limiter } from '../rpc/limiter';
import { Listeners, type Listener } from '../rpc/listeners';
import { Pending, again } from '../rpc/pending';
import type { BootConfig } from '../../boot';
import { instantiate, loadModule } from './load';
import { Output } from './output';
import { Phases } from './phases';

/** The object that internal/bridge puts on the Worker's global scope once the kernel is up. */
interface Bridge {
  call(verb: string, args: unknown[]): Promise<unknown>;
  onEvent(callback: (event: KernelEvent) => void): void;
  /** Takes a host sample of the page: its user and its battery. */
  sense?(sample: unknown): void;
}

interface KernelScope {
  __inosConfig?: BootConfig;
  __inosReady?: (info?: KernelInfo) => void;
  __inosCapsules?: unknown;
  __inosStreams?: unknown;
  __inos?: Bridge;
  fs: { writeSync(fd: number, bytes: Uint8Array): number };
}

const scope = globalThis as unknown as KernelScope;

export interface KernelHooks {
  onEvent(event: KernelEvent): void;
  /** Called once, with the reason that the kernel is gone: `kernel_closed`, `kernel_crashed`, or the
   * error of its start. */
  onEnd(reason: InosFailure): void;
}

export class GoKernel implements Kernel {
  readonly ready: Promise<KernelInfo>;
  readonly joined: Promise<Status>;
  readonly #phases: Phases;
  readonly #hooks: KernelHooks;
  readonly #pending = new Pending();
  readonly #limiter = new Limiter(); // for the page's calls and this Worker's own console together
  readonly #listeners = new Listeners();
  readonly #output: Output;
  readonly #go = new Go();
  readonly #readiness = deferred<KernelInfo>();
  readonly #joining = deferred<Status>();
  #ended: InosFailure | null = null;
  #closing = false;
  #exitCode = 0;

  constructor(config: BootConfig, origin: number, workerStart: number, hooks: KernelHooks) {
    this.#hooks = hooks;
    this.#phases = new Phases(origin, (phase) => this.#emit({ type: 'phase', ...phase }));
    this.#phases.reach('page', 'navigation start', origin - performance.timeOrigin);
    this.#phases.reach('worker', "the kernel's Worker runs", workerStart);
    this.#output = new Output((text, fd) => {
      console.log(text);
      this.#emit({ type: 'log', level: fd === 2 ? 'error' : 'info', source: 'kernel', text });
    });
    scope.fs.writeSync = this.#output.writeSync;
    this.ready = this.#readiness.promise;
    this.joined = this.#joining.promise;
    this.ready.catch(() => {}); // a caller that awaits it gets it
    this.joined.catch(() => {});
    this.#watchForTraps();
    this.#boot(config).catch((thrown: unknown) => this.#end(asFailure(thrown, 'wasm_load_failed')));
  }

  call(verb: string, args: unknown[]): Promise<unknown> {
    return this.#limiter.run(verb, args, () => this.#send(verb, args));
  }

  #send(verb: string, args: unknown[]): Promise<unknown> {
    return this.#pending.open((id) => {
      const bridge = scope.__inos;
      if (!bridge) throw new InosFailure('kernel_crashed', 'the kernel is not up');
      let answer: Promise<unknown>;
      try {
        answer = bridge.call(verb, args);
      } catch (thrown) {
        // #end rejects a call that ends the program, with the reason.
        if (!this.#go.exited) this.#pending.reject(id, asFailure(thrown, 'internal'));
        return;
      }
      answer.then(
        (value) => this.#pending.resolve(id, verb === 'status' ? this.#completed(value) : value),
        (thrown: unknown) => this.#pending.reject(id, asFailure(thrown, 'internal')),
      );
    });
  }

  on(type: string, listener: Listener): () => void {
    return this.#listeners.on(type, listener);
  }

  /** Asks the kernel to end; it has a second to do so. */
  async close(): Promise<void> {
    if (this.#ended || this.#closing) return;
    this.#closing = true;
    const expired = new Promise((resolve) => setTimeout(resolve, 1000));
    await Promise.race([this.call('close', []).catch(() => {}), expired]);
    this.#end(new InosFailure('kernel_closed', 'the kernel was closed'));
  }

  /** Passes the page's host sample to the kernel, once it is up. */
  sense(sample: unknown): void {
    if (!this.#ended) scope.__inos?.sense?.(sample);
  }

  async #boot(config: BootConfig): Promise<void> {
    const module = await loadModule(config.kernel, (detail) => this.#phases.reach('fetched', detail));
    this.#phases.reach('compiled');

    const capsules = capsuleHost(new URL(capsuleWorkerURL, self.location.href));
    const streams = streamHost();
    scope.__inosCapsules = capsules.control;
    scope.__inosStreams = streams.control;
    scope.__inosConfig = config;
    scope.__inosReady = (info) => void this.#up(info);

    const go = this.#go;
    go.argv = ['kernel'];
    go.exit = (code) => (this.#exitCode = code);
    const instance = await instantiate(module, {
      ...go.importObject,
      inos: { ...capsules.imports, ...streams.imports },
    });
    const program: GoProgram = {
      mem: () => instance.exports.mem as WebAssembly.Memory,
      exports: () => instance.exports,
      exited: () => go.exited,
    };
    capsules.attach(program);
    streams.attach(program);
    this.#phases.reach('started');
    try {
      await go.run(instance);
    } catch (thrown) {
      throw new InosFailure(
        'kernel_crashed',
        `the kernel trapped: ${asFailure(thrown, 'kernel_crashed').message}\n${this.#output.lastWords()}`,
      );
    }
    throw this.#closing
      ? new InosFailure('kernel_closed', 'the kernel was closed')
      : new InosFailure(
          'kernel_crashed',
          `the kernel exited with code ${this.#exitCode}\n${this.#output.lastWords()}`.trim(),
        );
  }

  async #up(info: KernelInfo | undefined): Promise<void> {
    try {
      const bridge = scope.__inos;
      if (!bridge) throw new InosFailure('kernel_crashed', 'the kernel said it was ready without its API');
      this.#phases.reach('ready');
      bridge.onEvent((event) => this.#fromKernel(event));
      const { peerId, ledgerId, name, version, durable, durableReason, durableDetail } =
        info ?? ((await this.call('status', [])) as Status);
      this.#readiness.resolve({ peerId, ledgerId, name, version, durable, durableReason, durableDetail });
    } catch (thrown) {
      this.#readiness.reject(asFailure(thrown, 'kernel_crashed'));
    }
  }

  #fromKernel(event: KernelEvent): void {
    if (event.type === 'mesh:joined') {
      const peers = Number(event.peers ?? 1);
      this.#phases.reach('joined', `${peers} ${peers === 1 ? 'peer' : 'peers'}`);
      this.call('status', []).then(
        (status) => this.#joining.resolve(status as Status),
        (thrown: unknown) => this.#joining.reject(thrown),
      );
    } else if (event.type === 'mesh:unreachable') {
      this.#joining.reject(
        new InosFailure('bootstrap_unreachable', String(event.message ?? 'no bootstrap node answered')),
      );
    }
    this.#emit(event);
  }

  #completed(status: unknown): unknown {
    const ready = this.#phases.at('ready');
    const joined = this.#phases.at('joined');
    return { ...(status as Status), phases: this.#phases.all(), readyMs: ready, joinedMs: joined };
  }

  #emit(event: KernelEvent): void {
    this.#listeners.emit(event);
    this.#hooks.onEvent(event);
  }

  #end(reason: InosFailure): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#readiness.reject(reason);
    this.#joining.reject(reason);
    this.#limiter.end(() => again(reason)); // before there is room for the waiting calls
    this.#pending.end(reason);
    this.#hooks.onEnd(reason);
  }

  // A trap inside a Go callback surfaces as an uncaught error of this Worker.
  #watchForTraps(): void {
    const heed = (thrown: unknown) => {
      if (thrown instanceof WebAssembly.RuntimeError) {
        this.#end(
          new InosFailure(
            'kernel_crashed',
            `the kernel trapped: ${thrown.message}\n${this.#output.lastWords()}`.trim(),
          ),
        );
      } else if (!this.#ended) {
        const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
        this.#emit({ type: 'log', level: 'error', source: 'worker', text });
      }
    };
    self.addEventListener('error', (event) => heed(event.error ?? event.message));
    self.addEventListener('unhandledrejection', (event) => heed(event.reason));
  }
}
