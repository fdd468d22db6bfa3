// The kernel's half of capsules in the browser: the imports of the Go kernel
// (internal/capsule/sab), and the events that are reported to it.
//
// Use, in the kernel's Worker:
//
//   const capsules = capsuleHost(new URL('./capsule/worker.ts', import.meta.url));
//   importObject.inos = { ...importObject.inos, ...capsules.imports };
//   const instance = await WebAssembly.instantiate(module, importObject);
//   capsules.attach({ mem: () => instance.exports.mem, exports: () => instance.exports });
//   go.run(instance);
//
// Go calls the imports (go:wasmimport, module "inos"); all of them return at
// once, and none throws. Results that take time come back as calls of Go's
// exports (go:wasmexport), each followed by exports.resume(): an export only
// makes goroutines runnable, and in GOOS=js nothing runs them, nor arms the
// timers they set, before the next event.
//
//   inos_capsule_compiled(handle, ok)   ok 0: capsule_text says why not
//   inos_capsule_ready(handle, control) control: the control block's byte offset
//   inos_capsule_ring(handle)           the event doorbell rang, once or more
//   inos_capsule_ended(handle, end)     end: see codes.ts; capsule_text may say more
//   inos_capsule_gone(handle)           the Worker is gone too
//   inos_capsule_rested(handle)         the rest that capsule_yield began is over
//
// Go chooses the handles, and uses none twice. A handle is valid until
// capsule_free; the memory of an ended instance stays readable until then.

import { CapsuleInstance } from './instance';
import { CapsuleMemory } from './memory';
import { Code } from './codes';
import { WorkerPool } from './pool';
import { rest, tired } from './yield';

/** The running Go program. */
export interface GoProgram {
  /** Go's own memory; its buffer is replaced when the memory grows. */
  mem(): WebAssembly.Memory;
  // biome-ignore lint/suspicious/noExplicitAny: what a program exports is its own
  exports(): any;
  /** True once the program has exited: then it must not be called. */
  exited?(): boolean;
}

/** Figures for tests and the devtools. */
export interface CapsuleControl {
  /**
   * The handles not freed yet, and the Workers with a capsule that have not ended; the spare
   * Workers and those that wait after a capsule, and how many capsules were started on such
   * Workers.
   */
  stats(): {
    modules: number;
    instances: number;
    workers: number;
    spares: number;
    waiting: number;
    sparesUsed: number;
    reused: number;
  };
  /** Kills every instance: for a kernel that exited without closing its Runtime. */
  killAll(): void;
}

interface Entry {
  module?: WebAssembly.Module;
  instance?: CapsuleInstance;
  memory?: CapsuleMemory;
  text: string;
}

export function capsuleHost(workerURL: URL): {
  imports: WebAssembly.ModuleImports;
  attach(go: GoProgram): void;
  control: CapsuleControl;
} {
  let program: GoProgram | undefined;
  let goBytes = new Uint8Array(0);
  let workers = 0;
  const pool = new WorkerPool(workerURL, `inos-capsule/${crypto.randomUUID()}`);
  const entries = new Map<number, Entry>();

  /** Go's memory. When it grows its old buffer is detached, and a view of that is empty. */
  const bytes = (): Uint8Array<ArrayBufferLike> => {
    // Asking the memory for its buffer takes longer than a small copy.
    if (goBytes.length === 0) goBytes = new Uint8Array(program!.mem().buffer as ArrayBuffer);
    return goBytes;
  };

  const tell = (name: string, ...args: number[]): void => {
    if (program === undefined || program.exited?.() === true) return;
    const exports = program.exports();
    exports[name](...args);
    exports.resume();
  };

  const memoryOf = (handle: number): CapsuleMemory | undefined => entries.get(handle)?.memory;

  const imports = {
    /** Copies a module and begins to compile it; inos_capsule_compiled follows. */
    capsule_compile(handle: number, ptr: number, len: number): number {
      if (typeof Atomics.waitAsync !== 'function' || globalThis.crossOriginIsolated !== true) return Code.Unsupported;
      const entry: Entry = { text: '' };
      entries.set(handle, entry);
      ptr >>>= 0;
      const compiling = WebAssembly.compile(bytes().slice(ptr, ptr + (len >>> 0)) as BufferSource);
      void compiling.then(
        (module) => {
          entry.module = module;
          tell('inos_capsule_compiled', handle, 1);
        },
        (err: unknown) => {
          entry.text = String(err);
          tell('inos_capsule_compiled', handle, 0);
        },
      );
      return Code.OK;
    },

    /** Makes the memory that capsule_spawn is to use, so that it can be filled before. */
    capsule_memory(handle: number, pages: number, maxPages: number): number {
      try {
        const raw = new WebAssembly.Memory({ initial: pages >>> 0, maximum: maxPages >>> 0, shared: true });
        entries.set(handle, { text: '', memory: new CapsuleMemory(raw, maxPages >>> 0) });
        return Code.OK;
      } catch {
        pool.shed(); // the next attempt may use their memory
        return Code.NoMemory;
      }
    },

    /**
     * Starts an instance with a fresh memory, or with that of capsule_memory;
     * inos_capsule_ready or _ended follows.
     */
    capsule_spawn(handle: number, moduleHandle: number, epoch: number, minPages: number, maxPages: number): number {
      const module = entries.get(moduleHandle)?.module;
      if (module === undefined) return Code.Gone;
      const restored = entries.has(handle);
      const again = restored ? undefined : pool.again(minPages >>> 0, maxPages >>> 0);
      if (again !== undefined) {
        entries.set(handle, { text: '', memory: new CapsuleMemory(again.memory!.raw, maxPages >>> 0) });
      } else if (!restored) {
        const code = imports.capsule_memory(handle, minPages, maxPages);
        if (code !== Code.OK) return code;
      }
      const entry = entries.get(handle)!;
      const memory = entry.memory!;
      try {
        workers++;
        entry.instance = new CapsuleInstance(memory, again ?? pool.take(), module, epoch, restored, {
          ready: (control) => tell('inos_capsule_ready', handle, control | 0),
          rang: () => tell('inos_capsule_ring', handle),
          ended: (end, text) => {
            entry.text = text;
            tell('inos_capsule_ended', handle, end);
          },
          gone: () => {
            workers--;
            tell('inos_capsule_gone', handle);
          },
          free: (pooled) => {
            entries.delete(handle); // this handle must not reach the memory of the Worker's next capsule
            return pool.give(pooled, memory.memory, minPages >>> 0, maxPages >>> 0);
          },
        });
      } catch {
        workers--;
        entries.delete(handle);
        return Code.Unsupported;
      }
      return Code.OK;
    },

    /** Keeps a Worker ready for the next capsule_spawn from now on, or ends it. */
    capsule_spare(keep: number): void {
      pool.keep(keep !== 0);
    },

    /** 1 when Go has kept this Worker from its other events for long enough. */
    capsule_tired(): number {
      return tired() ? 1 : 0;
    },

    /** Lets the other events have their turn; inos_capsule_rested follows. */
    capsule_yield(handle: number): void {
      void rest().then(() => tell('inos_capsule_rested', handle));
    },

    /** Kills an instance; inos_capsule_ended follows. */
    capsule_kill(handle: number): void {
      entries.get(handle)?.instance?.kill();
    },

    /** Releases a module, or an ended instance and its memory. */
    capsule_free(handle: number): void {
      entries.delete(handle);
    },

    /** Copies the text about a handle's failure, as UTF-8. Returns the number of bytes copied. */
    capsule_text(handle: number, ptr: number, cap: number): number {
      const text = entries.get(handle)?.text ?? '';
      ptr >>>= 0;
      return new TextEncoder().encodeInto(text, bytes().subarray(ptr, ptr + (cap >>> 0))).written;
    },

    capsule_len(handle: number): number {
      return memoryOf(handle)?.len() ?? Code.Gone;
    },
    capsule_load32(handle: number, off: number): number {
      return memoryOf(handle)?.load32(off >>> 0) ?? Code.Gone;
    },
    capsule_store32(handle: number, off: number, v: number): number {
      return memoryOf(handle)?.store32(off >>> 0, v) ?? Code.Gone;
    },
    capsule_store64(handle: number, off: number, v: bigint): number {
      return memoryOf(handle)?.store64(off >>> 0, v) ?? Code.Gone;
    },
    capsule_read(handle: number, off: number, ptr: number, n: number): number {
      return memoryOf(handle)?.read(off >>> 0, bytes(), ptr >>> 0, n >>> 0) ?? Code.Gone;
    },
    capsule_write(handle: number, off: number, ptr: number, n: number): number {
      return memoryOf(handle)?.write(off >>> 0, bytes(), ptr >>> 0, n >>> 0) ?? Code.Gone;
    },
    capsule_notify(handle: number, off: number): number {
      return memoryOf(handle)?.notify(off >>> 0) ?? Code.Gone;
    },
    capsule_spin(handle: number, off: number, seen: number, us: number): number {
      return memoryOf(handle)?.spin(off >>> 0, seen | 0, us) ?? Code.Gone;
    },
    capsule_grow(handle: number, size: number): number {
      return memoryOf(handle)?.grow(size) ?? Code.Gone;
    },
  };

  return {
    imports,
    attach(go) {
      program = go;
    },
    control: {
      stats() {
        let modules = 0;
        for (const e of entries.values()) if (e.instance === undefined) modules++;
        return {
          modules,
          instances: entries.size - modules,
          workers,
          spares: pool.count,
          waiting: pool.waiting,
          sparesUsed: pool.used,
          reused: pool.reused,
        };
      },
      killAll() {
        pool.keep(false);
        for (const e of entries.values()) e.instance?.kill();
      },
    },
  };
}
