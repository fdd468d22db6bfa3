import { expect, test } from 'vitest';
import { InosFailure } from '../src/errors';
import { Pending } from '../src/rpc/pending';

test('answers reach their own calls, in any order', async () => {
  const pending = new Pending();
  const ids: number[] = [];
  const calls = ['a', 'b', 'c'].map(() => pending.open((id) => ids.push(id)));
  pending.resolve(ids[2]!, 'third');
  pending.reject(ids[1]!, new InosFailure('no_candidate', 'nobody'));
  pending.resolve(ids[0]!, 'first');
  expect(await Promise.allSettled(calls)).toMatchObject([
    { value: 'first' },
    { reason: { name: 'InosError', code: 'no_candidate', message: 'nobody' } },
    { value: 'third' },
  ]);
  expect(pending.size).toBe(0);
});

test('the end rejects everything, now and later, with the first reason', async () => {
  const pending = new Pending();
  const calls = [pending.open(() => {}), pending.open(() => {})];
  pending.end(new InosFailure('kernel_crashed', 'panic'));
  pending.end(new InosFailure('kernel_closed', 'closed'));
  for (const call of [...calls, pending.open(() => {})]) {
    await expect(call).rejects.toMatchObject({ name: 'InosError', code: 'kernel_crashed', message: 'panic' });
  }
  expect(pending.size).toBe(0);
});

test('what cannot be sent rejects its own call only', async () => {
  const pending = new Pending();
  const other = pending.open(() => {});
  const failing = pending.open(() => {
    throw new DOMException('could not be cloned', 'DataCloneError');
  });
  await expect(failing).rejects.toMatchObject({ code: 'bad_argument' });
  expect(pending.size).toBe(1);
  pending.resolve(1, 'still here');
  expect(await other).toBe('still here');
});

test('a failure of sending keeps its own code', async () => {
  const pending = new Pending();
  const failing = pending.open(() => {
    throw new InosFailure('kernel_crashed', 'the kernel is not up');
  });
  await expect(failing).rejects.toMatchObject({ code: 'kernel_crashed', message: 'the kernel is not up' });
  expect(pending.size).toBe(0);
});

test('late and unknown answers are ignored', () => {
  const pending = new Pending();
  pending.resolve(7, 'nobody asked');
  pending.reject(8, new InosFailure('internal', 'nobody asked'));
  expect(pending.size).toBe(0);
});
