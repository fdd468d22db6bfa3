// The page's end of the kernel against a Worker that does as the test says.
import { expect, test, vi } from 'vitest';
import type { KernelEvent } from '../kernel';
import { deferred } from '../src/deferred';
import { KernelLink, type WorkerPort } from '../src/rpc/link';
import type { BootConfig } from '../boot';
import type { FromKernel, ToKernel } from '../src/rpc/protocol';

const KEPT = { durable: true, durableReason: '', durableDetail: '' } as const;

class Port implements WorkerPort {
  onmessage: WorkerPort['onmessage'] = null;
  onerror: WorkerPort['onerror'] = null;
  onmessageerror: WorkerPort['onmessageerror'] = null;
  readonly sent: ToKernel[] = [];
  terminated = false;
  postMessage(message: ToKernel): void {
    this.sent.push(structuredClone(message));
  }
  terminate(): void {
    this.terminated = true;
  }
  say(message: FromKernel): void {
    this.onmessage?.({ data: structuredClone(message) } as MessageEvent<FromKernel>);
  }
}

const config: BootConfig = { kernel: 'k.wasm', name: 'tab', bootstrap: [], capabilities: [], capsules: [] };
const info = { peerId: 'p', ledgerId: 'ledger:p', name: 'tab', version: '1', ...KEPT };

function started() {
  const lock = deferred<void>();
  const link = new KernelLink({ released: () => lock.promise, bootMs: 1000 });
  const port = new Port();
  const events: KernelEvent[] = [];
  link.on('*', (event) => events.push(event));
  link.start(port, config);
  port.say({ t: 'alive', lock: 'l' });
  return { link, port, events, workerGone: lock.resolve };
}

test('boots, becomes ready, answers calls', async () => {
  const { link, port } = started();
  expect(port.sent[0]).toMatchObject({ t: 'boot', config, origin: performance.timeOrigin });
  port.say({ t: 'ready', info });
  expect(await link.ready).toEqual(info);
  const call = link.call('nodes', []);
  expect(port.sent[1]).toEqual({ t: 'call', id: 1, verb: 'nodes', args: [] });
  port.say({ t: 'result', id: 1, value: [{ peerId: 'p' }] });
  expect(await call).toEqual([{ peerId: 'p' }]);
  const refused = link.call('kill', ['x']);
  port.say({
    t: 'failure',
    id: 2,
    error: { name: 'InosError', code: 'unknown_capsule', message: 'no x', retryable: false },
  });
  await expect(refused).rejects.toMatchObject({ name: 'InosError', code: 'unknown_capsule', message: 'no x' });
});

test('a Worker killed without a word rejects what is pending', async () => {
  const { link, port, events, workerGone } = started();
  port.say({ t: 'ready', info });
  const call = link.call('dispatch', [{}]);
  workerGone();
  await expect(call).rejects.toMatchObject({ code: 'kernel_crashed' });
  await expect(link.call('nodes', [])).rejects.toMatchObject({ code: 'kernel_crashed' });
  expect(events.at(-1)).toMatchObject({ type: 'crashed', code: 'kernel_crashed' });
});

test('2,000 dispatches wait their turn, whatever else is asked goes at once, and a Worker that is gone rejects them all', async () => {
  const { link, port, workerGone } = started();
  port.say({ t: 'ready', info });
  const sent = (verb: string) =>
    port.sent.flatMap((message) => (message.t === 'call' && message.verb === verb ? [message.id] : []));
  const dispatches = Array.from({ length: 2000 }, () => link.call('dispatch', [{}]));
  const cancels = Array.from({ length: 442 }, (_, i) => link.call('cancel', [String(i)]));
  expect([sent('dispatch').length, sent('cancel').length]).toEqual([1024, 442]);
  for (const id of sent('cancel')) port.say({ t: 'result', id, value: 'cancelled' });
  expect(new Set(await Promise.all(cancels))).toEqual(new Set(['cancelled']));
  port.say({ t: 'result', id: sent('dispatch')[0]!, value: 'done' });
  expect(await dispatches[0]).toBe('done');
  await vi.waitFor(() => expect(sent('dispatch')).toHaveLength(1025));
  workerGone();
  const ends = await Promise.allSettled(dispatches.slice(1));
  expect(new Set(ends.map((end) => end.status === 'rejected' && (end.reason as { code: string }).code))).toEqual(
    new Set(['kernel_crashed']),
  );
  expect(sent('dispatch')).toHaveLength(1025);
});

test('an end of its own carries its reason to ready, joined and calls', async () => {
  const { link, port } = started();
  const call = link.call('nodes', []);
  port.say({
    t: 'ended',
    error: { name: 'InosError', code: 'wasm_load_failed', message: 'HTTP 404', retryable: true },
  });
  for (const promise of [link.ready, link.joined, call]) {
    await expect(promise).rejects.toMatchObject({ code: 'wasm_load_failed', message: 'HTTP 404', retryable: true });
  }
  expect(port.terminated).toBe(true);
  port.say({ t: 'ready', info }); // too late: ignored
  expect(link.ended?.code).toBe('wasm_load_failed');
});

test('close asks the kernel, ends the Worker and rejects what is pending', async () => {
  const { link, port, events } = started();
  port.say({ t: 'ready', info });
  const call = link.call('dispatch', [{}]);
  const closing = link.close();
  expect(port.sent.at(-1)).toMatchObject({ t: 'call', verb: 'close' });
  port.say({ t: 'ended', error: { name: 'InosError', code: 'kernel_closed', message: 'closed', retryable: false } });
  await closing;
  await link.close();
  await expect(call).rejects.toMatchObject({ code: 'kernel_closed' });
  expect(port.terminated).toBe(true);
  expect(events.filter((event) => event.type === 'closed')).toHaveLength(1);
});

test('a kernel that hangs is closed all the same', async () => {
  vi.useFakeTimers();
  try {
    const { link, port } = started();
    const closing = link.close();
    await vi.advanceTimersByTimeAsync(2000);
    await closing;
    expect(port.terminated).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test('a kernel that never becomes ready is given up', async () => {
  vi.useFakeTimers();
  try {
    const { link, port } = started();
    const ready = expect(link.ready).rejects.toMatchObject({ code: 'boot_timeout' });
    await vi.advanceTimersByTimeAsync(1000);
    await ready;
    expect(port.terminated).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test('a Worker whose script never comes is given up', async () => {
  vi.useFakeTimers();
  try {
    const link = new KernelLink({ released: () => new Promise(() => {}), bootMs: 1000 });
    const port = new Port();
    link.start(port, config);
    const call = link.call('nodes', []);
    const ends = [link.ready, link.joined, call].map((promise) =>
      expect(promise).rejects.toMatchObject({
        code: 'boot_timeout',
        retryable: true,
        message: expect.stringContaining('Worker') as string,
      }),
    );
    await vi.advanceTimersByTimeAsync(1000);
    await Promise.all(ends);
    expect(port.terminated).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test('a Worker whose script does not load says so', async () => {
  const link = new KernelLink({ released: () => new Promise(() => {}) });
  const port = new Port();
  link.start(port, config);
  port.onerror?.({ message: '', preventDefault() {} } as ErrorEvent);
  await expect(link.ready).rejects.toMatchObject({ code: 'worker_failed' });
});

test('events are acknowledged, and a listener that throws harms nobody', () => {
  const { link, port, events } = started();
  const complaint = vi.spyOn(console, 'error').mockImplementation(() => {});
  const off = link.on('job', () => {
    throw new Error('mine');
  });
  port.say({
    t: 'events',
    batch: [
      { type: 'job', id: 'j' },
      { type: 'capsule', id: 'c' },
    ],
  });
  expect(events).toEqual([
    { type: 'job', id: 'j' },
    { type: 'capsule', id: 'c' },
  ]);
  expect(port.sent.at(-1)).toEqual({ t: 'ack' });
  expect(complaint).toHaveBeenCalledOnce();
  off();
  port.say({ t: 'events', batch: [{ type: 'job', id: 'k' }] });
  expect(complaint).toHaveBeenCalledOnce();
  complaint.mockRestore();
});
