// The streams' host over real WHATWG streams, with this test in Go's place.
import { afterEach, expect, test, vi } from 'vitest';
import { streamHost } from '../src/mesh/streams';

afterEach(() => vi.unstubAllGlobals());

/** One adopted stream, what the host said of it, and the far ends. */
function adopted() {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const said: [string, number, number][] = [];
  let heard: () => void = () => {};
  const next = () => new Promise<void>((resolve) => (heard = resolve));
  const streams = streamHost();
  streams.attach({
    mem: () => memory,
    exports: () => ({
      inos_stream_read: (handle: number, n: number) => said.push(['read', handle, n]),
      inos_stream_wrote: (handle: number, ok: number) => said.push(['wrote', handle, ok]),
      resume: () => heard(),
    }),
  });
  let source!: ReadableStreamDefaultController<Uint8Array>;
  let cancelled: unknown = 'not';
  const wrote: number[][] = [];
  let aborted: unknown = 'not';
  const pair = {
    readable: new ReadableStream<Uint8Array>({
      start: (c) => void (source = c),
      cancel: (why) => void (cancelled = why),
    }),
    writable: new WritableStream<Uint8Array>({
      write: (chunk) => void wrote.push([...chunk]),
      abort: (why) => void (aborted = why),
    }),
  } as unknown as WebTransportBidirectionalStream;
  streams.control.adopt(7, pair);
  const go = streams.imports as Record<string, (...args: number[]) => number>;
  const bytes = (ptr: number, n: number) => [...new Uint8Array(memory.buffer, ptr, n)];
  const reason = (side: number) =>
    new TextDecoder().decode(new Uint8Array(memory.buffer, 512, go.stream_reason!(7, side, 512, 256)));
  return {
    streams,
    go,
    said,
    next,
    source,
    pair,
    wrote,
    bytes,
    reason,
    memory,
    cancelled: () => cancelled,
    aborted: () => aborted,
  };
}

test('a chunk is taken in parts, an empty one is no end, the end is 0', async () => {
  const { go, said, next, source, bytes } = adopted();
  source.enqueue(new Uint8Array(0));
  source.enqueue(Uint8Array.of(1, 2, 3, 4, 5));
  let told = next();
  go.stream_read!(7);
  await told;
  expect(said).toEqual([['read', 7, 5]]);
  expect(go.stream_take!(7, 100, 3)).toBe(3);
  expect(go.stream_take!(7, 103, 10)).toBe(2);
  expect(go.stream_take!(7, 105, 10)).toBe(0);
  expect(bytes(100, 5)).toEqual([1, 2, 3, 4, 5]);
  source.close();
  told = next();
  go.stream_read!(7);
  await told;
  expect(said.at(-1)).toEqual(['read', 7, 0]);
});

test('a write is a copy: the memory may change while the browser has it', async () => {
  const { go, said, next, wrote, memory } = adopted();
  new Uint8Array(memory.buffer).set([9, 8, 7], 40);
  const told = next();
  go.stream_write!(7, 40, 3);
  new Uint8Array(memory.buffer).fill(0);
  await told;
  expect(said).toEqual([['wrote', 7, 1]]);
  expect(wrote).toEqual([[9, 8, 7]]);
});

test('a reset is -1, and its reason has source, code, name and message', async () => {
  const { go, said, next, source, reason } = adopted();
  const told = next();
  go.stream_read!(7);
  source.error(Object.assign(new Error('gone'), { name: 'WebTransportError', source: 'stream', streamErrorCode: 42 }));
  await told;
  expect(said).toEqual([['read', 7, -1]]);
  expect(reason(0)).toBe('stream\x0042\0WebTransportError\0gone');
  expect(reason(1)).toBe('\0\0\0undefined');
});

test('codes go out whole or not at all', async () => {
  const cut = adopted();
  vi.stubGlobal(
    'WebTransportError',
    class {
      streamErrorCode: number;
      constructor(_: string, o: { streamErrorCode: number }) {
        this.streamErrorCode = o.streamErrorCode & 0xff;
      }
    },
  );
  cut.go.stream_cancel!(7, 300);
  expect(cut.cancelled()).toBeUndefined();
  const whole = adopted();
  whole.go.stream_cancel!(7, 200);
  whole.go.stream_abort!(7, 201);
  await new Promise((resolve) => setTimeout(resolve));
  expect(whole.cancelled()).toMatchObject({ streamErrorCode: 200 });
  expect(whole.aborted()).toMatchObject({ streamErrorCode: 201 });
});

test('a stream that nobody reads any more is read to its end, up to a bound', async () => {
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  const short = adopted();
  short.go.stream_drain!(7);
  expect(short.streams.control.count()).toBe(0);
  short.source.enqueue(new Uint8Array(1000));
  await turn();
  short.source.close();
  await turn();
  expect(short.cancelled()).toBe('not');
  expect(short.said).toEqual([]);
  const long = adopted();
  long.go.stream_drain!(7);
  long.source.enqueue(new Uint8Array(65 << 10));
  await turn();
  expect(long.cancelled()).toBeUndefined();
  vi.useFakeTimers();
  const silent = adopted();
  silent.go.stream_drain!(7);
  await vi.advanceTimersByTimeAsync(14_999);
  expect(silent.cancelled()).toBe('not');
  await vi.advanceTimersByTimeAsync(1);
  expect(silent.cancelled()).toBeUndefined();
  vi.useRealTimers();
});

test('a freed stream has nobody to tell, and a locked one is refused', async () => {
  const { streams, go, said, source, pair } = adopted();
  expect(() => streams.control.adopt(8, pair)).toThrow();
  expect(streams.control.count()).toBe(1);
  go.stream_read!(7);
  go.stream_free!(7);
  source.enqueue(Uint8Array.of(1));
  await new Promise((resolve) => setTimeout(resolve));
  expect(said).toEqual([]);
  expect(streams.control.count()).toBe(0);
  for (const call of Object.values(go)) expect(() => call(7, 0, 0, 0)).not.toThrow();
});

test('a session ends once what was aborted before is, microtasks and all', async () => {
  const { streams, go, aborted } = adopted();
  const seen: unknown[] = [];
  go.stream_abort!(7, 5);
  let closed!: () => void;
  const over = new Promise<void>((resolve) => (closed = resolve));
  let turns = 0;
  const turn = (): void => void (++turns < 100 && queueMicrotask(turn));
  turn();
  streams.control.end({ close: (info) => (seen.push(info, aborted() !== 'not', turns), closed()) }, 9);
  expect(seen).toEqual([]);
  await over;
  expect(seen).toEqual([{ closeCode: 9, reason: '' }, true, 100]);
});

test('the end of a session that has failed is no error', async () => {
  const { streams } = adopted();
  const ended = vi.fn(() => {
    throw new DOMException('it has failed', 'InvalidStateError');
  });
  streams.control.end({ close: ended }, 0);
  await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce());
});
