// The kernel's view of one capsule's shared memory. Offsets and lengths come from Go as i32 and are
// read as unsigned. Nothing here throws because of a capsule or a wrong offset: the answer is a
// Code.

import { Code } from './codes';
import { PageSize } from './layout';

export class CapsuleMemory {
  private i32: Int32Array<ArrayBufferLike>;
  private i64: BigInt64Array<ArrayBufferLike>;
  private u8: Uint8Array<ArrayBufferLike>;

  constructor(
    readonly memory: WebAssembly.Memory,
    private readonly maxPages: number,
  ) {
    this.i32 = new Int32Array(memory.buffer);
    this.i64 = new BigInt64Array(memory.buffer);
    this.u8 = new Uint8Array(memory.buffer);
  }

  /** Length in bytes now; the capsule may have grown it meanwhile. */
  len(): number {
    if (this.memory.buffer.byteLength !== this.u8.length) this.renew();
    return this.u8.length;
  }

  /** The shared words, up to the one at byte offset `off` at least. */
  words(): Int32Array<ArrayBufferLike> {
    return this.i32;
  }

  /** 0 when [off, off+n) lies in the memory. */
  check(off: number, n: number): number {
    if (off + n <= this.u8.length) return Code.OK;
    // Views are made again only when one is too short. grow(0) asks the engine
    // itself, which knows of another thread's growth before `buffer` shows it.
    this.memory.grow(0);
    this.renew();
    return off + n <= this.u8.length ? Code.OK : Code.OutOfBounds;
  }

  /** The u32 at off, or a negative Code. */
  load32(off: number): number {
    if (off % 4 !== 0) return Code.Misaligned;
    const c = this.check(off, 4);
    return c !== Code.OK ? c : Atomics.load(this.i32, off >>> 2) >>> 0;
  }

  store32(off: number, v: number): number {
    if (off % 4 !== 0) return Code.Misaligned;
    const c = this.check(off, 4);
    if (c === Code.OK) Atomics.store(this.i32, off >>> 2, v);
    return c;
  }

  store64(off: number, v: bigint): number {
    if (off % 8 !== 0) return Code.Misaligned;
    const c = this.check(off, 8);
    if (c === Code.OK) Atomics.store(this.i64, off >>> 3, v);
    return c;
  }

  notify(off: number): number {
    if (off % 4 !== 0) return Code.Misaligned;
    const c = this.check(off, 4);
    if (c === Code.OK) Atomics.notify(this.i32, off >>> 2);
    return c;
  }

  /**
   * Polls the word at off for at most `us` microseconds, until it differs from `seen`: then 1, else
   * 0. It catches a capsule's quick answer without the browser's wake-up, which takes longer than
   * the answer.
   */
  spin(off: number, seen: number, us: number): number {
    if (off % 4 !== 0) return Code.Misaligned;
    const c = this.check(off, 4);
    if (c !== Code.OK) return c;
    const word = off >>> 2;
    // The notify before may have let the capsule run on this very core: then the answer is there
    // already, and reading the clock would take longer than seeing it.
    if (Atomics.load(this.i32, word) !== seen) return 1;
    const until = performance.now() + us / 1000;
    do {
      for (let i = 0; i < 64; i++) if (Atomics.load(this.i32, word) !== seen) return 1;
    } while (performance.now() < until);
    return 0;
  }

  /** Adds one to the word at off and wakes the thread that waits there, or is about to. */
  ring(off: number): void {
    if (off % 4 !== 0 || this.check(off, 4) !== Code.OK) return;
    Atomics.add(this.i32, off >>> 2, 1);
    Atomics.notify(this.i32, off >>> 2);
  }

  /** Copies n bytes at off to dst[at...]. */
  read(off: number, dst: Uint8Array<ArrayBufferLike>, at: number, n: number): number {
    const c = this.check(off, n);
    if (c === Code.OK) copy(this.u8, off, dst, at, n);
    return c;
  }

  /** Copies n bytes of src[at...] to off. */
  write(off: number, src: Uint8Array<ArrayBufferLike>, at: number, n: number): number {
    const c = this.check(off, n);
    if (c === Code.OK) copy(src, at, this.u8, off, n);
    return c;
  }

  /** Makes the memory at least `bytes` long. Returns the new length, or a Code. */
  grow(bytes: number): number {
    const pages = Math.ceil(bytes / PageSize);
    if (pages > this.maxPages) return Code.NoMemory;
    try {
      // The capsule may grow it too: what it adds between these two lines is extra.
      const have = this.memory.grow(0);
      if (pages > have) this.memory.grow(pages - have);
    } catch {
      return Code.NoMemory;
    }
    this.renew();
    return this.u8.length;
  }

  private renew(): void {
    const buffer = this.memory.buffer;
    this.i32 = new Int32Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }
}

function copy(
  src: Uint8Array<ArrayBufferLike>,
  from: number,
  dst: Uint8Array<ArrayBufferLike>,
  at: number,
  n: number,
): void {
  // A loop is faster than making a view for a frame's header and other small copies.
  if (n <= 32) {
    for (let i = 0; i < n; i++) dst[at + i] = src[from + i]!;
    return;
  }
  dst.set(src.subarray(from, from + n), at);
}
