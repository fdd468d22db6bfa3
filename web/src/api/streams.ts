// inos.feed and inos.listen: streams in pieces, one call each. The next piece is sent, or asked
// for, once the last was answered, so that neither side holds more than one, however long the
// stream is. internal/bridge/streams_js.go is the other end.
import { InosFailure, asFailure, type PlainError } from '../errors';
import type { FeedSource } from '../../kernel';

/** The longest piece, in bytes. */
const PIECE = 256 << 10;

/** The part of a kernel that a stream needs. */
interface Caller {
  call(verb: string, args: unknown[]): Promise<unknown>;
}

/** Whether `value` is something that inos.feed takes. */
export function isSource(value: unknown): value is FeedSource {
  return typeof value === 'string' || isBytes(value) || isStream(value) || isBlob(value) || isIterable(value);
}

export async function feed(kernel: Caller, capsuleId: string, source: FeedSource): Promise<unknown> {
  const { stream } = (await kernel.call('feed:open', [capsuleId])) as { stream: number };
  // Settles when the stream is over. The capsule may end it while the source gives nothing.
  const over = kernel.call('feed:over', [stream]);
  const cut = new AbortController();
  over.catch(() => {}).then(() => cut.abort());
  const from = pieces(source, cut.signal);
  try {
    for (;;) {
      const next = await Promise.race([from.next(), over.then(() => null)]);
      if (!next || next.done) break;
      await kernel.call('feed:put', [stream, next.value]);
    }
  } catch (thrown) {
    // Not awaited: a generator that waits for its source ends only when the source gives something.
    void from.return(undefined).catch(() => {});
    const failure = asFailure(thrown, 'javascript_error');
    await kernel.call('feed:end', [stream, failure.message]).catch(() => {});
    // The end of the stream says more than the failure of one piece.
    if (cut.signal.aborted) await over;
    await over.catch(() => {});
    throw failure;
  }
  await kernel.call('feed:end', [stream]);
  return over;
}

/** The rest of a stream out of a capsule when it is over. */
interface Rest {
  bytes?: Uint8Array;
  failure?: PlainError;
}

export async function listen(kernel: Caller, capsuleId: string): Promise<ReadableStream<Uint8Array>> {
  const { stream } = (await kernel.call('listen:open', [capsuleId])) as { stream: number };
  // The kernel releases the stream when the capsule has ended; this then has what was not read.
  const over = kernel.call('listen:over', [stream]) as Promise<Rest>;
  let ended = false;
  over.then(
    () => (ended = true),
    () => (ended = true),
  );
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!ended) {
          const taken = (await kernel.call('listen:take', [stream])) as { done: boolean; bytes?: Uint8Array };
          if (!taken.done) return controller.enqueue(taken.bytes!);
        }
        const { bytes, failure } = await over;
        if (bytes && bytes.byteLength > 0) controller.enqueue(bytes);
        if (failure) controller.error(asFailure(failure, 'internal'));
        else controller.close();
      },
      async cancel() {
        await kernel.call('listen:close', [stream]);
      },
    },
    { highWaterMark: 0 }, // nothing is taken before it is read
  );
}

/** The data of `source` in pieces that belong to the kernel: copies, in plain memory. Cancels a
 * stream when it is `over`. */
async function* pieces(source: FeedSource, over: AbortSignal): AsyncGenerator<Uint8Array> {
  if (isStream(source)) {
    const reader = source.getReader();
    over.addEventListener('abort', () => void reader.cancel().catch(() => {}));
    let whole = false;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        yield* cut(value);
      }
      whole = true;
    } finally {
      if (!whole) await reader.cancel().catch(() => {});
      reader.releaseLock();
    }
  } else if (isBlob(source)) {
    for (let at = 0; at < source.size; at += PIECE) {
      yield new Uint8Array(await source.slice(at, at + PIECE).arrayBuffer());
    }
  } else if (isIterable(source)) {
    for await (const chunk of source) yield* cut(chunk);
  } else {
    yield* cut(source);
  }
}

function* cut(chunk: unknown): Generator<Uint8Array> {
  if (typeof chunk === 'string') {
    // By characters, so that a long text is not in memory twice; never within a surrogate pair.
    for (let at = 0, end: number; at < chunk.length; at = end) {
      end = at + PIECE / 4;
      if (/[\ud800-\udbff]/.test(chunk.charAt(end - 1))) end++;
      yield new TextEncoder().encode(chunk.slice(at, end));
    }
    return;
  }
  if (!isBytes(chunk)) {
    throw new InosFailure(
      'bad_argument',
      `inos.feed: a stream must give strings, Uint8Arrays or ArrayBuffers, got ${typeof chunk}`,
    );
  }
  const view = ArrayBuffer.isView(chunk)
    ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    : new Uint8Array(chunk);
  for (let at = 0; at < view.length; at += PIECE) yield Uint8Array.from(view.subarray(at, at + PIECE));
}

export function isBytes(value: unknown): value is ArrayBufferView | ArrayBufferLike {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer !== 'undefined' && value instanceof SharedArrayBuffer)
  );
}

function isStream(value: unknown): value is ReadableStream<unknown> {
  return typeof ReadableStream !== 'undefined' && value instanceof ReadableStream;
}

function isBlob(value: unknown): value is Blob {
  return typeof Blob !== 'undefined' && value instanceof Blob;
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
