// The Worker of one capsule instance at a time. It instantiates the module over the given shared
// memory, reports the offset of the control block and calls inos_run, which blocks this thread for
// the rest of the instance's life. It catches traps, which would wake no other thread by
// themselves. A capsule reaches nothing of this script: its only import is its memory.

import * as L from './layout';
import type { Message, Report, Start } from './protocol';

// Only the needed part of the Worker's global scope: the page's own types say that `self` is a
// Window.
interface Scope {
  readonly name: string;
  onmessage: ((e: MessageEvent<Message>) => void) | null;
  postMessage(r: Report): void;
}
const scope = self as unknown as Scope;

/** The lock has the Worker's name. It is held for as long as the Worker lives. */
const held = hold(scope.name);
held.catch(() => undefined); // the first start reports it

/** The memory of the instance that ran last. */
let last: WebAssembly.Memory | undefined;

scope.onmessage = (e) => {
  const m = e.data;
  if (m.kind === 'wipe') {
    // Before the next start, which may be on the same memory: it must find zeros, as in a new one.
    if (last !== undefined) new Uint8Array(last.buffer).fill(0);
    return;
  }
  last = m.memory;
  void run(m).then((r) => scope.postMessage(r));
};

async function run(s: Start): Promise<Report> {
  let control: number;
  let main: () => void;
  let stack: unknown;
  try {
    await held;
    // Synchronously: that takes less than half the time of a promise.
    const instance = new WebAssembly.Instance(s.module, { env: { memory: s.memory } });
    const at: unknown = instance.exports.inos_control;
    const fn: unknown = instance.exports.inos_run;
    stack = instance.exports.__stack_pointer;
    if (!(at instanceof WebAssembly.Global)) throw new TypeError('no exported global inos_control');
    if (typeof fn !== 'function') throw new TypeError('no exported function inos_run');
    control = Number(at.value) >>> 0;
    main = fn as () => void;
    if (control % 64 !== 0 || control + L.ControlSize > s.memory.buffer.byteLength) {
      throw new RangeError(`control block at ${control} is misaligned or outside the memory`);
    }
  } catch (err) {
    return { kind: 'refused', text: describe(err) };
  }

  const words = new Int32Array(s.memory.buffer, control, L.ControlSize / 4);
  if (s.restored) restart(words);
  Atomics.store(words, L.OffMemoryEpoch / 4, s.epoch);
  const top = pointer(stack);
  scope.postMessage({ kind: 'ready', control });
  try {
    main();
    // A capsule that returns without a report has stopped, too.
    const state = Atomics.load(words, L.OffState / 4);
    if (state < L.StateStopped) Atomics.store(words, L.OffState / 4, L.StateStopped);
    ring(words);
    return { kind: 'stopped' };
  } catch (err) {
    return { kind: 'trapped', text: trapped(words, err, pointer(stack) > top) };
  }
}

/**
 * The end of the capsule's stack, 0 if the module does not export it. The stack grows down to
 * address 0, and a pointer past that is a huge one.
 */
function pointer(stack: unknown): number {
  return stack instanceof WebAssembly.Global ? Number(stack.value) >>> 0 : 0;
}

/**
 * Makes a copied control block that of a capsule about to start, as Image.Reset in internal/capsule
 * does. Unread events are dropped, since they were the old host's; unread commands stay.
 */
function restart(words: Int32Array<ArrayBufferLike>): void {
  const tail = Atomics.load(words, L.OffEventTail / 4);
  Atomics.store(words, L.OffEventHead / 4, tail);
  for (const off of L.restartZeros) Atomics.store(words, off / 4, 0);
  Atomics.store(words, L.OffState / 4, L.StateBooting);
}

/** Marks the control block after a trap and returns the text about it. */
function trapped(words: Int32Array<ArrayBufferLike>, err: unknown, overflow: boolean): string {
  let text = describe(err);
  // The engine has a stack of its own, for the capsule's locals.
  if (overflow || err instanceof RangeError || text.startsWith('InternalError')) text = `stack overflow: ${text}`;
  if (Atomics.load(words, L.OffState / 4) === L.StatePanicked) {
    // The panic handler left its text, then trapped on purpose.
    const said = panicText(words);
    if (said !== '') text = said;
  } else {
    writeText(words, text);
    Atomics.store(words, L.OffState / 4, L.StateTrapped);
  }
  ring(words);
  return text;
}

function panicText(words: Int32Array<ArrayBufferLike>): string {
  const n = Math.min(Atomics.load(words, L.OffPanicLength / 4) >>> 0, L.PanicTextCap);
  const bytes = new Uint8Array(words.buffer, words.byteOffset + L.OffPanicText, n);
  // TextDecoder refuses shared memory: slice copies.
  return new TextDecoder().decode(bytes.slice());
}

function writeText(words: Int32Array<ArrayBufferLike>, text: string): void {
  const bytes = new TextEncoder().encode(text).subarray(0, L.PanicTextCap);
  new Uint8Array(words.buffer, words.byteOffset + L.OffPanicText, bytes.length).set(bytes);
  Atomics.store(words, L.OffPanicLength / 4, bytes.length);
}

function ring(words: Int32Array<ArrayBufferLike>): void {
  Atomics.add(words, L.OffEventDoorbell / 4, 1);
  Atomics.store(words, L.OffEventListening / 4, 0);
  Atomics.notify(words, L.OffEventListening / 4);
}

function describe(err: unknown): string {
  return err instanceof Error ? `${err.name}: ${err.message}` : String(err);
}

/**
 * Takes a Web Lock that only the end of this Worker releases. terminate() does not report when it
 * has finished, so that the host waits for this lock instead. A browser that blocks site data has
 * no lock; there the host waits for the longest time that the end may take.
 */
function hold(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, () => {
        resolve();
        return new Promise<never>(() => undefined);
      })
      .catch((err: unknown) => (err instanceof DOMException && err.name === 'SecurityError' ? resolve() : reject(err)));
  });
}
