import { expect, test, vi } from 'vitest';
import { deferred, type Deferred } from '../src/deferred';
import { InosFailure } from '../src/errors';
import { Limiter } from '../src/rpc/limiter';

/** Calls that end when the test says so. */
function calls(limiter: Limiter) {
  const sent: Deferred<string>[] = [];
  const run = (verb: string, args: unknown[] = []) =>
    limiter.run(verb, args, () => {
      const call = deferred<string>();
      sent.push(call);
      return call.promise;
    });
  return { sent, run };
}

const KIB = 1024;

test('a verb that is full keeps no other one out', () => {
  const { sent, run } = calls(new Limiter());
  for (let i = 0; i < 2000; i++) void run('dispatch');
  expect(sent).toHaveLength(1024);
  for (let i = 0; i < 442; i++) void run('cancel');
  for (const verb of ['status', 'jobs', 'kill', 'close']) void run(verb);
  expect(sent).toHaveLength(1024 + 442 + 4);
});

test('what waits goes in order, as soon as there is room, whether calls end well or not', async () => {
  const { sent, run } = calls(new Limiter({ calls: 2 }));
  const ends = ['a', 'b', 'c', 'd', 'e'].map((name) => run('dispatch', [name]));
  expect(sent).toHaveLength(2);
  sent[1]!.resolve('second');
  expect(await ends[1]).toBe('second');
  await vi.waitFor(() => expect(sent).toHaveLength(3));
  sent[0]!.reject(new InosFailure('no_candidate', 'nobody'));
  await expect(ends[0]).rejects.toMatchObject({ code: 'no_candidate' });
  await vi.waitFor(() => expect(sent).toHaveLength(4));
  sent[2]!.resolve('third');
  sent[3]!.resolve('fourth');
  expect(await Promise.all([ends[2], ends[3]])).toEqual(['third', 'fourth']);
});

test('bytes in flight are bounded, and one call alone may hold more', async () => {
  const { sent, run } = calls(new Limiter({ bytes: 10 * KIB }));
  void run('dispatch', [{ input: new Uint8Array(100 * KIB) }]);
  void run('dispatch', [{ input: new Uint8Array(4 * KIB) }]);
  void run('dispatch', [{ input: new Uint8Array(4 * KIB) }]);
  void run('dispatch', [{ input: new Uint8Array(4 * KIB) }]);
  expect(sent).toHaveLength(1);
  sent[0]!.resolve('');
  await vi.waitFor(() => expect(sent).toHaveLength(3));
});

test('what waits is bounded by its bytes, and refused by name', async () => {
  const { sent, run } = calls(new Limiter({ calls: 1, waiting: 10 * KIB }));
  void run('dispatch');
  const one = run('dispatch', [{ input: new Uint8Array(8 * KIB) }]);
  await expect(run('dispatch', [{ input: new Uint8Array(8 * KIB) }])).rejects.toMatchObject({
    name: 'InosError',
    code: 'too_many_calls',
    retryable: true,
    message: expect.stringMatching(
      /inos\.dispatch: 1 calls are in flight, 1 at most, and 1 wait with 9216 bytes.*await some/,
    ) as string,
  });
  void run('dispatch'); // a small one fits
  await expect(run('dispatch', [])).rejects.toMatchObject({ code: 'too_many_calls' }); // calls without arguments are bounded, too
  sent[0]!.resolve('');
  await vi.waitFor(() => expect(sent).toHaveLength(2));
  sent[1]!.resolve('one');
  expect(await one).toBe('one');
  void run('dispatch', [{ input: new Uint8Array(8 * KIB) }]); // there is room again
});

test("a dispatch's deadline counts while it waits", async () => {
  vi.useFakeTimers();
  try {
    const { sent, run } = calls(new Limiter({ calls: 1 }));
    const asked = performance.timeOrigin + performance.now();
    void run('dispatch', [{}, asked]);
    const late = run('dispatch', [{ deadlineMs: 200 }, asked - 150]);
    const end = expect(late).rejects.toMatchObject({
      code: 'deadline',
      retryable: true,
      message: expect.stringContaining('1 others in flight') as string,
    });
    const far = run('dispatch', [{ deadlineMs: 2 ** 40 }, asked]); // longer than a timer counts
    await vi.advanceTimersByTimeAsync(50);
    await end;
    sent[0]!.resolve('');
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toHaveLength(2);
    sent[1]!.resolve('far');
    expect(await far).toBe('far');
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('the end rejects what waits, and sends none of it', async () => {
  const limiter = new Limiter({ calls: 1 });
  const { sent, run } = calls(limiter);
  const first = run('dispatch');
  const waiting = [run('dispatch'), run('dispatch')];
  limiter.end(() => new InosFailure('kernel_crashed', 'gone'));
  sent[0]!.reject(new InosFailure('kernel_crashed', 'gone'));
  for (const call of [first, ...waiting]) await expect(call).rejects.toMatchObject({ code: 'kernel_crashed' });
  expect(sent).toHaveLength(1);
});
