import { expect, test } from 'vitest';
import type { FeedSource, KernelInfo, Status } from '../kernel';
import { deferred } from '../src/deferred';
import { consoleApi, type Kernel } from '../src/api/console';

/** A kernel with one capsule, "c1", that takes `most` bytes and then dies, or when it is told to. */
function capsule(most = Infinity, emits: Uint8Array[] = []) {
  const taken: number[][] = [];
  const calls: string[] = [];
  let bytes = 0;
  let inFlight = 0;
  let peak = 0;
  const died = { name: 'InosError', code: 'capsule_panicked', message: 'capsule: panicked', retryable: false };
  const over = deferred<unknown>();
  over.promise.catch(() => {});
  const verbs: Record<string, (...args: never[]) => unknown> = {
    'feed:open': (id: string) => {
      if (id !== 'c1') throw { name: 'InosError', code: 'unknown_capsule', message: id };
      return { stream: 7 };
    },
    'feed:put': async (stream: number, piece: Uint8Array) => {
      peak = Math.max(peak, ++inFlight);
      await Promise.resolve();
      inFlight--;
      expect(stream).toBe(7);
      expect(piece.buffer).toBeInstanceOf(ArrayBuffer);
      expect(piece.length).toBeLessThanOrEqual(256 << 10);
      if ((bytes += piece.length) > most) {
        over.reject(died);
        throw died;
      }
      taken.push([...piece.subarray(0, 4)]);
    },
    'feed:end': (_: number, why?: string) =>
      why === undefined ? over.resolve({ capsuleId: 'c1', bytes }) : over.reject(new Error(why)),
    'feed:over': () => over.promise,
    'listen:over': () => over.promise,
    'listen:open': () => ({ stream: 8 }),
    'listen:take': () => {
      const next = emits.shift();
      if (!next) over.resolve({ bytes: new Uint8Array() });
      return next ? { done: false, bytes: next } : { done: true };
    },
    'listen:close': () => undefined,
  };
  const kernel: Kernel = {
    ready: Promise.resolve({} as KernelInfo),
    joined: Promise.resolve({} as Status),
    async call(verb, args) {
      if (!verb.endsWith(':over'))
        calls.push(verb === 'feed:end' && args.length > 1 ? `${verb} ${String(args[1])}` : verb);
      return verbs[verb]!(...(args as never[]));
    },
    on: () => () => {},
    close: async () => {},
  };
  return {
    inos: consoleApi(kernel),
    taken,
    calls,
    die: () => over.reject(died),
    leave: (rest: unknown) => over.resolve(rest),
    total: () => bytes,
    atOnce: () => peak,
  };
}

/** `n` chunks of `size` bytes, and what became of the stream. */
function stream(n: number, size: number) {
  const seen = { pulled: 0, cancelled: false };
  const source = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (seen.pulled === n) return controller.close();
        controller.enqueue(new Uint8Array(size).fill(++seen.pulled));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { source, seen };
}

async function* chunks(): AsyncGenerator<unknown> {
  yield 'é';
  yield Uint8Array.of(1, 2, 3);
  yield Uint8Array.of(4, 5).buffer;
}

const long = new Uint8Array((600 << 10) + 1);

test.each<[string, () => FeedSource, number, number]>([
  ['text', () => 'é!', 3, 1],
  ['nothing', () => '', 0, 0],
  ['bytes', () => Uint8Array.of(9, 8, 7).subarray(1), 2, 1],
  ['many bytes', () => long, long.length, 3],
  ['shared bytes', () => new SharedArrayBuffer(5), 5, 1],
  ['a blob', () => new Blob([long, 'x']), long.length + 1, 3],
  ['a stream', () => stream(3, 10).source, 30, 3],
  ['a stream of long chunks', () => stream(2, 300 << 10).source, 600 << 10, 4],
  ['an iterable', () => chunks(), 7, 3],
])('%s is fed piece by piece', async (_, source, bytes, pieces) => {
  const { inos, taken, atOnce } = capsule();
  expect(await inos.feed('c1', source())).toEqual({ capsuleId: 'c1', bytes });
  expect(taken.length).toBe(pieces);
  expect(atOnce()).toBe(Math.min(pieces, 1));
});

test('a long text is cut between characters', async () => {
  const text = `x${'\u{1f600}'.repeat(100_000)}`;
  const { inos, total } = capsule();
  await inos.feed('c1', text);
  expect(total()).toBe(new TextEncoder().encode(text).length);
});

test('the caller keeps theirs', async () => {
  const { inos } = capsule();
  const own = Uint8Array.of(1, 2, 3);
  await inos.feed('c1', own);
  expect([...own]).toEqual([1, 2, 3]);
});

test('a stream is read no further than the capsule takes, and cancelled when it dies', async () => {
  const { inos, calls } = capsule(25);
  const { source, seen } = stream(1000, 10);
  await expect(inos.feed('c1', source)).rejects.toMatchObject({ name: 'InosError', code: 'capsule_panicked' });
  expect(seen).toEqual({ pulled: 3, cancelled: true });
  expect(calls).toEqual(['feed:open', 'feed:put', 'feed:put', 'feed:put', 'feed:end capsule: panicked']);
});

test('a source that fails cuts the stream short', async () => {
  const { inos, calls } = capsule();
  const source = (async function* () {
    yield 'a';
    throw new Error('no more');
  })();
  await expect(inos.feed('c1', source)).rejects.toMatchObject({ code: 'javascript_error', message: 'no more' });
  expect(calls.at(-1)).toBe('feed:end no more');
});

test('what is no stream is refused before anything is sent', async () => {
  const { inos, calls } = capsule();
  const feed = (data: unknown) => (inos.feed as (id: string, data: unknown) => Promise<unknown>)('c1', data);
  for (const data of [7, {}, null, undefined, [1]])
    await expect(feed(data)).rejects.toMatchObject({ code: 'bad_argument' });
  expect(calls).toEqual([]);
  await expect(
    feed(
      (async function* () {
        yield 7;
      })(),
    ),
  ).rejects.toMatchObject({ code: 'bad_argument' });
  await expect(inos.feed('c2', 'x')).rejects.toMatchObject({ code: 'unknown_capsule' });
});

test('what a capsule emits is a stream that takes nothing before it is read', async () => {
  const { inos, calls } = capsule(0, [Uint8Array.of(1), Uint8Array.of(2, 3)]);
  const heard = await inos.listen('c1');
  await Promise.resolve();
  expect(calls).toEqual(['listen:open']);
  const got: number[] = [];
  for await (const bytes of heard as unknown as AsyncIterable<Uint8Array>) got.push(...bytes);
  expect(got).toEqual([1, 2, 3]);
  expect(calls).toEqual(['listen:open', 'listen:take', 'listen:take', 'listen:take']);
});

test('one who has heard enough cancels', async () => {
  const { inos, calls } = capsule(0, [Uint8Array.of(1), Uint8Array.of(2)]);
  for await (const _ of (await inos.listen('c1')) as unknown as AsyncIterable<Uint8Array>) break;
  expect(calls).toEqual(['listen:open', 'listen:take', 'listen:close']);
});

test('a capsule that ends cuts the stream into it short, though its source gives nothing', async () => {
  const { inos, die } = capsule();
  let cancelled = false;
  const silent = new ReadableStream({ cancel: () => void (cancelled = true) });
  const fed = inos.feed('c1', silent);
  await new Promise((resolve) => setTimeout(resolve));
  die();
  await expect(fed).rejects.toMatchObject({ code: 'capsule_panicked' });
  expect(cancelled).toBe(true);
  const { inos: other, die: end } = capsule();
  const never = other.feed(
    'c1',
    (async function* () {
      await new Promise(() => {});
      yield 'x';
    })(),
  );
  await new Promise((resolve) => setTimeout(resolve));
  end();
  await expect(never).rejects.toMatchObject({ code: 'capsule_panicked' });
});

test('what a capsule that has ended left is still read, and then how it ended', async () => {
  const { inos, calls, leave } = capsule();
  const reader = (await inos.listen('c1')).getReader();
  leave({
    bytes: new Uint8Array([1, 2]),
    failure: { name: 'InosError', code: 'capsule_killed', message: 'capsule: killed', retryable: true },
  });
  await new Promise((resolve) => setTimeout(resolve));
  expect([...(await reader.read()).value!]).toEqual([1, 2]);
  await expect(reader.read()).rejects.toMatchObject({ code: 'capsule_killed' });
  expect(calls).toEqual(['listen:open']); // the kernel is not asked for what it has let go of
});
