import { expect, test } from 'vitest';
import type { KernelEvent } from '../kernel';
import { Outbox } from '../src/rpc/outbox';

function outbox(limit: number) {
  const batches: KernelEvent[][] = [];
  return { batches, box: new Outbox((batch) => batches.push(batch), limit) };
}

test('one batch is in flight at a time; the rest follows in order', () => {
  const { batches, box } = outbox(10);
  for (const name of ['a', 'b', 'c']) box.push({ type: 'job', name });
  expect(batches.map((batch) => batch.map((event) => event.name))).toEqual([['a']]);
  box.acknowledged();
  expect(batches[1]?.map((event) => event.name)).toEqual(['b', 'c']);
  box.acknowledged();
  expect(batches).toHaveLength(2);
});

test('a page that stalls loses heartbeats first, and hears how many', () => {
  const { batches, box } = outbox(4);
  box.push({ type: 'job', n: 0 }); // in flight
  for (let n = 1; n <= 3; n++) box.push({ type: 'job', n });
  for (let n = 1; n <= 100; n++) box.push({ type: 'heartbeat', n });
  box.acknowledged();
  expect(batches[1]).toEqual([
    { type: 'shed', count: 99 },
    { type: 'job', n: 1 },
    { type: 'job', n: 2 },
    { type: 'job', n: 3 },
    { type: 'heartbeat', n: 100 },
  ]);
});

test('without lesser events the oldest goes', () => {
  const { batches, box } = outbox(2);
  for (let n = 0; n < 5; n++) box.push({ type: 'job', n });
  box.acknowledged();
  expect(batches[1]).toEqual([
    { type: 'shed', count: 2 },
    { type: 'job', n: 3 },
    { type: 'job', n: 4 },
  ]);
});
