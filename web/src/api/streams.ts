// inos.feed and inos.listen: streams in pieces, one call each. The next piece goes,
// or is asked for, once the last was answered, so that neither side holds more than
// one, whatever the stream's length. internal/bridge/streams_js.go is the other end.
import { InosFailure, asFailure } from '../errors';
import type { Kernel } from './console';
import type { FeedSource } from '../../kernel';

/** The longest piece, in bytes. */
const PIECE = 256 << 10;

/** Whether `value` is something that inos.feed takes. */
export function isSource(value: unknown): value is FeedSource {
  return typeof value === 'string' || isBytes(value) || isStream(value) || isBlob(value) || isIterable(value);
}

export async function feed(kernel: Kernel, capsuleId: string, source: FeedSource): Promise<unknown> {
  const { stream } = (await kernel.call('feed:open', [capsuleId])) as { stream: number };
  try {
    for await (const piece of pieces(source)) await kernel.call('feed:put', [stream, piece]);
  } catch (thrown) {
    const failure = asFailure(thrown, 'javascript_error');
    await kernel.call('feed:end', [stream, failure.message]).catch(() => {});
    throw failure;
  }
  return kernel.call('feed:end', [stream]);
}

export async function listen(kernel: Kernel, capsuleId: string): Promise<ReadableStream<Uint8Array>> {
  const { stream } = (await kernel.call('listen:open', [capsuleId])) as { stream: number };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const taken = (await kernel.call('listen:take', [stream])) as { done: boolean; bytes?: Uint8Array };
        if (taken.done) controller.close();
        else controller.enqueue(taken.bytes!);
      },
      async cancel() {
        await kernel.call('listen:close', [stream]);
      },
    },
    { highWaterMark: 0 }, // nothing is taken before somebody reads
  );
}

/** What `source` gives, in pieces that are the kernel's own: copies, of plain memory. */
async function* pieces(source: FeedSource): AsyncGenerator<Uint8Array> {
  if (isStream(source)) {
    const reader = source.getReader();
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
    // By characters, so that a long text is not there twice; never within a pair.
    for (let at = 0, end: number; at < chunk.length; at = end) {
      end = at + PIECE / 4;
      if (/[\ud800-\udbff]/.test(chunk.charAt(end - 1))) end++;
      yield new TextEncoder().encode(chunk.slice(at, end));
    }
    return;
  }
  if (!isBytes(chunk)) {
    throw new InosFailure('bad_argument', `inos.feed: a stream must give strings, Uint8Arrays or ArrayBuffers, got ${typeof chunk}`);
  }
  const view = ArrayBuffer.isView(chunk) ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : new Uint8Array(chunk);
  for (let at = 0; at < view.length; at += PIECE) yield Uint8Array.from(view.subarray(at, at + PIECE));
}

function isBytes(value: unknown): value is ArrayBufferView | ArrayBufferLike {
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
