import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { KernelEvent } from '../kernel';
import { rejoin } from '../src/rejoin';
import { Listeners } from '../src/rpc/listeners';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A kernel that can be told what happened to it, and what it was asked. */
function kernel(now: string[] | Error) {
  const listeners = new Listeners();
  const dialled: string[] = [];
  let reads = 0;
  const state = { now };
  const stop = rejoin(
    {
      call: async (verb, [address]) => {
        expect(verb).toBe('connect');
        dialled.push(address as string);
        throw new Error('nobody answers');
      },
      on: (type, listener) => listeners.on(type, listener),
    },
    ['old'],
    async () => {
      reads++;
      if (state.now instanceof Error) throw state.now;
      return state.now;
    },
  );
  const emit = (type: string) => listeners.emit({ type } as KernelEvent);
  return { state, dialled, stop, emit, reads: () => reads, listeners };
}

test('who comes back elsewhere is dialled, ever more seldom, until the mesh is joined', async () => {
  const k = kernel(['old', 'new']);
  k.emit('mesh:joined');
  await vi.advanceTimersByTimeAsync(600_000);
  expect(k.reads()).toBe(0);

  k.emit('mesh:parted');
  await vi.advanceTimersByTimeAsync(7_000);
  expect(k.dialled).toEqual(['new']); // the kernel dials the old one itself
  await vi.advanceTimersByTimeAsync(600_000);
  expect(k.reads()).toBeGreaterThan(6);
  expect(k.reads()).toBeLessThan(16);

  k.emit('mesh:joined');
  const so = k.reads();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(k.reads()).toBe(so);
});

test('the mesh may be away from the start, and the server too', async () => {
  const k = kernel(new Error('refused'));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(k.reads()).toBeGreaterThan(1);
  expect(k.dialled).toEqual([]);
  k.state.now = ['new'];
  await vi.advanceTimersByTimeAsync(60_000);
  expect(k.dialled).toContain('new');
});

test.each(['closed', 'crashed'])('nothing is left once the kernel has %s', async (end) => {
  const k = kernel(['new']);
  k.emit(end);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(k.reads()).toBe(0);
  k.emit('mesh:parted');
  expect(vi.getTimerCount()).toBe(0);
});
