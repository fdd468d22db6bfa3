// One capsule instance in the kernel's Worker: its memory, its Worker, the loop that listens to its
// doorbell, and its end.

import { End } from './codes';
import * as L from './layout';
import type { CapsuleMemory } from './memory';
import type { PooledWorker } from './pool';
import type { Report, Start } from './protocol';
import { nextTask } from './yield';

/** The reports of an instance to its host. They are never called from within a call of the host's. */
export interface Listener {
  ready(control: number): void;
  rang(): void;
  /** The capsule no longer runs. Called once. */
  ended(end: End, text: string): void;
  /** Its Worker has ended too, or has nothing of it any more. Called once, after ended. */
  gone(): void;
  /**
   * The capsule returned after it was told to end: its Worker and its memory are free. Called after
   * ended. False when they are not needed, and the Worker is to end.
   */
  free(worker: PooledWorker): boolean;
}

/** How long a capsule may take to return once it was told to end, before its Worker is terminated. */
const ReturnWithinMs = 20;

/** How long a terminated Worker may take to release its lock. */
const GoneWithinMs = 10_000;
/** How long it may take where the browser has no locks to show its end. */
const UnseenMs = 2000;

/** After this many rings in a row without a wait, other events get a turn. */
const RingsInARow = 16;
/** After this many, the loop rests for a moment: no honest capsule gets there often. */
const RingsBeforeRest = 1024;

export class CapsuleInstance {
  private control = -1;
  private over = false; // ended was or will be called: further reports are ignored
  private listening = false;
  private heard: Promise<void> | undefined; // resolves when it no longer listens
  private ending: ReturnType<typeof setTimeout> | undefined; // it was told to end, and may still return by itself
  private readonly worker: Worker;
  private readonly lock: string;

  constructor(
    readonly memory: CapsuleMemory,
    private readonly pooled: PooledWorker,
    module: WebAssembly.Module,
    epoch: number,
    restored: boolean,
    private readonly listener: Listener,
  ) {
    this.worker = pooled.worker;
    this.lock = pooled.lock;
    this.worker.onmessage = (e: MessageEvent<Report>) => this.report(e.data);
    this.worker.onmessageerror = () => this.broken('a message could not be read');
    this.worker.onerror = (e) => {
      e.preventDefault();
      this.broken(e.message || 'the Worker script did not load');
    };
    const start: Start = { kind: 'start', module, memory: memory.memory, epoch, restored };
    try {
      this.worker.postMessage(start);
    } catch (err) {
      this.worker.terminate();
      throw err;
    }
  }

  /**
   * Sets the kill word and wakes the capsule wherever it waits. A capsule that returns at once
   * leaves its Worker to the next one. Otherwise the Worker is terminated, which takes the browser
   * up to two seconds.
   */
  kill(): void {
    if (this.over) return;
    this.over = true;
    if (this.control < 0) {
      this.terminate();
      return;
    }
    // The words change too: a capsule between its check of the kill word and its wait would sleep
    // through a bare notify.
    this.memory.store32(this.control + L.OffKill, 1);
    this.memory.ring(this.control + L.OffCommandDoorbell);
    this.memory.ring(this.control + L.OffEventSpace);
    this.ending = setTimeout(() => this.terminate(), ReturnWithinMs);
  }

  /** Ends the Worker of an instance that was killed. */
  private terminate(): void {
    clearTimeout(this.ending);
    this.ending = undefined;
    this.worker.terminate();
    // A terminated Worker may run on for a while: its end is when its lock is free.
    void this.whenGone().then((clean) => {
      this.stopListening();
      this.listener.ended(End.Killed, clean ? '' : 'the Worker did not end in time');
      this.listener.gone();
    });
  }

  /** The capsule has returned after it was told to end: none of its code runs any more. */
  private async returned(): Promise<void> {
    clearTimeout(this.ending);
    this.ending = undefined;
    this.stopListening();
    // A loop that still listened would write to the next capsule's memory.
    await this.heard;
    this.listener.ended(End.Killed, '');
    // A Worker that ends holds its memory until it is gone, and a browser has few of them.
    if (!this.listener.free(this.pooled)) {
      this.worker.terminate();
      await this.whenGone();
    }
    this.listener.gone();
  }

  private report(r: Report): void {
    if (this.ending !== undefined) {
      if (r.kind === 'stopped') void this.returned();
      else this.terminate();
      return;
    }
    if (this.over) return;
    if (r.kind === 'ready') {
      this.control = r.control;
      this.listener.ready(r.control);
      this.heard = this.listen();
      return;
    }
    const text = r.kind === 'stopped' ? '' : r.text;
    const end = r.kind === 'stopped' ? End.Stopped : r.kind === 'trapped' ? End.Trapped : End.Refused;
    this.finish(end, text);
  }

  private broken(text: string): void {
    if (this.ending !== undefined) this.terminate();
    else if (!this.over) this.finish(End.Worker, text);
  }

  /** Ends an instance whose capsule code has already ended. */
  private finish(end: End, text: string): void {
    this.over = true;
    this.worker.terminate();
    this.stopListening();
    this.listener.ended(end, text);
    void this.whenGone().then(() => this.listener.gone());
  }

  /**
   * Resolves when the Worker's lock is free: true, or false when that took too long. Without locks
   * it cannot know: it resolves to true after the longest time that the end may take.
   */
  private whenGone(): Promise<boolean> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), GoneWithinMs);
    return navigator.locks
      .request(this.lock, { signal: limit.signal }, () => true)
      .catch((err: unknown) => {
        if (!(err instanceof DOMException && err.name === 'SecurityError')) return false;
        return new Promise<boolean>((gone) => setTimeout(() => gone(true), UnseenMs));
      })
      .finally(() => clearTimeout(timer));
  }

  private async listen(): Promise<void> {
    this.listening = true;
    const doorbell = (this.control + L.OffEventDoorbell) >>> 2;
    const listening = (this.control + L.OffEventListening) >>> 2;
    // The memory of these words never moves: this view stays valid for its range when the memory
    // grows.
    const words = this.memory.words();
    let seen = 0; // a fresh memory's doorbell
    let inARow = 0;
    while (this.listening) {
      // The word is set before the doorbell is compared, and the capsule rings before it reads the
      // word: so one of the two sees the other.
      Atomics.store(words, listening, 1);
      if (Atomics.load(words, doorbell) === seen) {
        const wait = Atomics.waitAsync(words, listening, 1);
        if (wait.async) await wait.value;
        inARow = 0;
      }
      Atomics.store(words, listening, 0);
      if (++inARow % RingsInARow === 0) {
        // A capsule that rings without end must not keep the kernel's Worker from its timers and
        // messages.
        if (inARow < RingsBeforeRest) await nextTask();
        else {
          inARow = 0;
          await new Promise((r) => setTimeout(r, 0));
        }
      }
      if (!this.listening) return;
      seen = Atomics.load(words, doorbell);
      this.listener.rang();
    }
  }

  private stopListening(): void {
    if (!this.listening) return;
    this.listening = false;
    // The wait of the loop would keep the memory alive.
    this.memory.notify(this.control + L.OffEventListening);
  }
}
