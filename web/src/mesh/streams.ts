// The page-side half of libp2p's streams in the browser: the imports of the Go kernel
// (internal/mesh/p2p/webtransport), and the events that are reported to it. Go itself makes
// sessions, by syscall/js. The work for every chunk is done here, where a crossing costs 50 ns
// instead of 17 µs and a chunk is copied once, straight between the browser's buffer and Go's
// memory.
//
// Use, in the kernel's Worker:
//
//   const streams = streamHost();
//   globalThis.__inosStreams = streams.control;
//   importObject.inos = { ...importObject.inos, ...streams.imports };
//   const instance = await WebAssembly.instantiate(module, importObject);
//   streams.attach({ mem: () => instance.exports.mem, exports: () => instance.exports });
//   go.run(instance);
//
// All imports return at once, and none throws. What takes time comes back as a
// call of Go's exports, each followed by exports.resume() (see capsule/host.ts):
//
//   inos_stream_read(handle, n)     n bytes wait for stream_take; 0: the end; -1: stream_reason says why not
//   inos_stream_wrote(handle, ok)   one stream_write is over; ok 0: stream_reason says why not
//
// Go chooses the handles, and uses none twice. A handle is valid until stream_free.
import type { GoProgram } from '../capsule/host';

/** Sides of a stream, as Go names them. */
const Side = { Read: 0, Write: 1 } as const;

interface Entry {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  /** Bytes that have come and were not taken yet. */
  unread: Uint8Array;
  readonly reasons: [unknown, unknown]; // by Side
}

/** The functions that the kernel calls by syscall/js, once a stream. */
export interface StreamControl {
  /** Takes over a WebTransportBidirectionalStream; throws when it is locked. */
  adopt(handle: number, pair: WebTransportBidirectionalStream): void;
  /**
   * Ends a session, in a task of its own. Chromium tells the peer of an aborted stream once the
   * write under way has failed, a few microtasks later; when the session has ended by then, the
   * renderer crashes. Go asks for both in one task, so that no microtask runs in between. The
   * session's streams must not be aborted or cancelled any more.
   */
  end(session: Pick<WebTransport, 'close'>, code: number): void;
  /** Streams not freed yet. */
  count(): number;
}

export function streamHost(): {
  imports: WebAssembly.ModuleImports;
  attach(go: GoProgram): void;
  control: StreamControl;
} {
  let program: GoProgram | undefined;
  const entries = new Map<number, Entry>();
  const none = new Uint8Array(0);

  const memory = (ptr: number, n: number) => new Uint8Array(program!.mem().buffer, ptr >>> 0, n >>> 0);

  const tell = (name: string, handle: number, value: number): void => {
    // A stream that was freed has no receiver.
    if (program === undefined || program.exited?.() === true || !entries.has(handle)) return;
    const exports = program.exports();
    exports[name](handle, value);
    exports.resume();
  };

  const imports = {
    /** Asks for the next chunk; inos_stream_read follows. One at a time. */
    stream_read(handle: number): void {
      const entry = entries.get(handle);
      if (!entry) return;
      const ask = (): void =>
        void entry.reader.read().then(
          ({ done, value }) => {
            if (!done && value.byteLength === 0) return ask();
            entry.unread = value ?? none;
            tell('inos_stream_read', handle, entry.unread.byteLength);
          },
          (why: unknown) => {
            entry.reasons[Side.Read] = why;
            tell('inos_stream_read', handle, -1);
          },
        );
      ask();
    },

    /** Copies up to n of the waiting bytes. Returns the number of bytes copied. */
    stream_take(handle: number, ptr: number, n: number): number {
      const entry = entries.get(handle);
      if (!entry) return 0;
      const part = entry.unread.subarray(0, n >>> 0);
      memory(ptr, part.byteLength).set(part);
      entry.unread = entry.unread.subarray(part.byteLength);
      return part.byteLength;
    },

    /** Gives the browser a copy of n bytes; inos_stream_wrote follows. */
    stream_write(handle: number, ptr: number, n: number): void {
      const entry = entries.get(handle);
      if (!entry) return;
      entry.writer.write(memory(ptr, n).slice()).then(
        () => tell('inos_stream_wrote', handle, 1),
        (why: unknown) => {
          entry.reasons[Side.Write] = why;
          tell('inos_stream_wrote', handle, 0);
        },
      );
    },

    /** Sends the end of the stream after the written bytes. */
    stream_close(handle: number): void {
      entries.get(handle)?.writer.close().catch(ignore);
    },

    /** Tells the peer to stop sending. */
    stream_cancel(handle: number, code: number): void {
      entries
        .get(handle)
        ?.reader.cancel(resetReason(code >>> 0))
        .catch(ignore);
    },

    /** Reads to the end and drops the bytes; tells the peer to stop sending when that takes too much
     * or too long. Frees the handle. */
    stream_drain(handle: number): void {
      const entry = entries.get(handle);
      if (entry) drain(entry.reader);
      entries.delete(handle);
    },

    /** Drops what the browser still holds, and tells the peer. */
    stream_abort(handle: number, code: number): void {
      entries
        .get(handle)
        ?.writer.abort(resetReason(code >>> 0))
        .catch(ignore);
    },

    stream_free(handle: number): void {
      entries.delete(handle);
    },

    /** Copies the reason of a side's failure, as "source\0streamErrorCode\0name\0message". Returns
     * the number of bytes copied. */
    stream_reason(handle: number, side: number, ptr: number, cap: number): number {
      const text = described(entries.get(handle)?.reasons[side === Side.Read ? 0 : 1]);
      return new TextEncoder().encodeInto(text, memory(ptr, cap)).written;
    },
  };

  return {
    imports,
    attach(go) {
      program = go;
    },
    control: {
      adopt(handle, pair) {
        entries.set(handle, {
          reader: pair.readable.getReader(),
          writer: pair.writable.getWriter(),
          unread: none,
          reasons: [undefined, undefined],
        });
      },
      end(session, code) {
        setTimeout(() => {
          try {
            session.close({ closeCode: code >>> 0, reason: '' });
          } catch {
            // it has failed by itself
          }
        }, 0);
      },
      count: () => entries.size,
    },
  };
}

const ignore = (): void => {};

/** How much a stream that is no longer read may still bring, and for how long. */
const DrainBytes = 64 << 10;
const DrainMs = 15_000;

function drain(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  let left = DrainBytes;
  const cancel = (): void => void reader.cancel().catch(ignore);
  const timer = setTimeout(cancel, DrainMs);
  const over = (): void => clearTimeout(timer);
  const next = (): void =>
    void reader.read().then(({ done, value }) => {
      if (done) return over();
      left -= value.byteLength;
      if (left >= 0) return next();
      over();
      cancel();
    }, over);
  next();
}

function described(why: unknown): string {
  const { source, streamErrorCode, name, message } = (
    typeof why === 'object' && why !== null ? why : { message: String(why) }
  ) as {
    source?: unknown;
    streamErrorCode?: unknown;
    name?: unknown;
    message?: unknown;
  };
  return [source, streamErrorCode, name, message]
    .map((part) => (typeof part === 'string' || typeof part === 'number' ? part : ''))
    .join('\0');
}

/**
 * The reason to cancel or abort with, which carries a code to the peer. It is undefined, which
 * means code 0, where the browser cannot carry one. The constructor's arguments changed between
 * drafts of the specification, and some browsers cut codes to a byte: a cut code would be another
 * one.
 */
function resetReason(code: number): unknown {
  const make = globalThis.WebTransportError as unknown as
    | (new (
        ...args: unknown[]
      ) => { streamErrorCode?: number })
    | undefined;
  if (typeof make !== 'function') return undefined;
  const options = { streamErrorCode: code, message: 'reset' };
  for (const args of [['reset', options], [options]]) {
    try {
      const error = new make(...args);
      if (error.streamErrorCode === code) return error;
    } catch {
      // the other form is tried
    }
  }
  return undefined;
}
