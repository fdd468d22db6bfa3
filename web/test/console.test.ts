import { expect, test, vi } from 'vitest';
import type { Inos, KernelInfo, Status } from '../kernel';
import { consoleApi, type Kernel } from '../src/api/console';
import { VERB_NAMES } from '../src/api/verbs';

function api(answer: (verb: string, args: unknown[]) => unknown = () => ({})) {
  const calls: { verb: string; args: unknown[] }[] = [];
  const kernel: Kernel = {
    ready: Promise.resolve({} as KernelInfo),
    joined: Promise.resolve({} as Status),
    async call(verb, args) {
      calls.push({ verb, args });
      return answer(verb, args);
    },
    on: () => () => {},
    close: async () => {},
  };
  return { calls, inos: consoleApi(kernel) };
}

type Loose = Record<string, (...args: unknown[]) => Promise<unknown>>;

test('an unknown verb rejects and lists the verbs', async () => {
  const inos = api().inos as unknown as Loose;
  await expect(inos.foo!(1)).rejects.toMatchObject({ name: 'InosError', code: 'unknown_verb' });
  await expect(inos.foo!(1)).rejects.toThrow(/inos\.foo is no verb; there are help, status, .*dispatch/);
});

test('the object itself is an ordinary one', async () => {
  const { inos } = api();
  expect(await inos).toBe(inos); // no `then`
  expect(Object.keys(inos).sort()).toEqual([...VERB_NAMES, 'joined', 'ready'].sort());
  expect(String(inos)).toBe('[object Object]');
  expect(() => JSON.stringify(inos)).not.toThrow();
  expect(() => ((inos as { kill: unknown }).kill = 1)).toThrow(TypeError);
});

test.each([
  ['kill', [], 'capsuleId must be a string, got undefined'],
  ['kill', [3], 'capsuleId must be a string, got 3'],
  ['kill', ['a', 'b'], 'takes (capsuleId), got 2'],
  ['status', [1], 'takes no arguments, got 1'],
  [
    'spawn',
    ['hash', 3],
    'options must be an object {memoryLimit, capabilities, args, creditLedgerId, node, restart, group, strategy}, got 3',
  ],
  ['spawn', ['hash', { memory: 3 }], "options has no field 'memory'; it may have memoryLimit"],
  ['spawn', ['hash', new Date(0)], 'group, strategy}, got Date'],
  ['spawn', ['hash', new Map([['memoryLimit', 1]])], 'group, strategy}, got Map'],
  ['publish', ['mine', 'wasm', { replace: 1 }], 'options.replace must be true or false, got 1'],
  ['resize', ['a', '8'], 'bytes must be a whole number of at least 1, or left out, got string'],
  ['resize', ['a', NaN], 'got NaN'],
  ...['budget', 'deadlineMs', 'maxCost', 'replicas', 'agree'].flatMap((field) =>
    [0, -0, -1, 1.5, NaN, Infinity, 2 ** 53, '8', null, true].map((value): [string, unknown[], string] => [
      'dispatch',
      [{ capsule: 'hash', [field]: value }],
      `job.${field} must be a whole number of at least 1, or left out, got ${typeof value === 'number' || value === null ? value : typeof value}`,
    ]),
  ),
  ['dispatch', [{ capsule: 'hash', priority: 256 }], 'job.priority must be a whole number from 0 to 255, got 256'],
  ['dispatch', ['hash'], 'job must be an object {capsule, method, input'],
  ['dispatch', [[]], 'got an array'],
  ['dispatch', [{ capsule: 'hash', input: 7 }], 'job.input must be a string, Uint8Array or ArrayBuffer, got 7'],
  ['dispatch', [{ capsule: 'hash', requires: 'gpu' }], 'job.requires must be an array of strings, got string'],
  ['dispatch', [{ constructor: 'x' }], "job has no field 'constructor'"],
  ['explain', [7], 'job must be a string or an object'],
  ['connect', [null], 'multiaddr must be a string, got null'],
])('inos.%s(%j) says what was expected', async (verb, args, expected) => {
  const { inos, calls } = api();
  const call = (inos as unknown as Loose)[verb]!(...args);
  await expect(call).rejects.toMatchObject({ name: 'InosError', code: 'bad_argument' });
  await expect(call).rejects.toThrow(expected);
  await expect(call).rejects.toThrow('Example: ');
  expect(calls).toEqual([]);
});

test('on() with a wrong callback throws the same', () => {
  expect(() => (api().inos as unknown as { on(...a: unknown[]): void }).on('job', 3)).toThrow(
    'callback must be a function, got 3',
  );
});

test('input travels as bytes, and the caller keeps theirs', async () => {
  const { inos, calls } = api();
  const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(7);
  const own = Uint8Array.of(1, 2, 3, 4);
  for (const input of ['é', own.subarray(1, 3), own.buffer, shared])
    await inos.dispatch({ capsule: 'hash', method: 'm', input });
  const sent = calls.map((call) => (call.args[0] as { input: Uint8Array }).input);
  expect(sent.map((bytes) => [...bytes])).toEqual([
    [0xc3, 0xa9],
    [2, 3],
    [1, 2, 3, 4],
    [7, 7, 7],
  ]);
  for (const bytes of sent) expect(bytes.buffer).toBeInstanceOf(ArrayBuffer);
  expect(sent[2]!.buffer).not.toBe(own.buffer);
});

test('a dispatch says when it was asked, before it waits for the kernel', async () => {
  let up!: (info: KernelInfo) => void;
  const calls: unknown[][] = [];
  const kernel = {
    ready: new Promise<KernelInfo>((resolve) => (up = resolve)),
    joined: Promise.resolve({} as Status),
    call: async (_verb: string, args: unknown[]) => (calls.push(args), {}),
    on: () => () => {},
    close: async () => {},
  } as unknown as Kernel;
  const before = performance.timeOrigin + performance.now();
  const call = consoleApi(kernel).dispatch({ capsule: 'hash', deadlineMs: 5 });
  const after = performance.timeOrigin + performance.now();
  up({} as KernelInfo);
  await call;
  expect(calls[0]![1]).toBeGreaterThanOrEqual(before);
  expect(calls[0]![1]).toBeLessThanOrEqual(after);
});

test('a result has its output as text, in hex when it is none', async () => {
  const outputs = [new TextEncoder().encode('abc'), Uint8Array.of(0xff, 0x00)];
  const { inos } = api(() => ({ output: outputs.shift() }));
  const run = () => inos.dispatch({ capsule: 'hash', method: 'm' });
  expect((await run()).text).toBe('abc');
  expect((await run()).text).toBe('ff00');
});

test('what the kernel rejects with arrives as an InosError with its code', async () => {
  const { inos } = api(() => {
    throw { name: 'InosError', code: 'ledger_missing', message: 'governance: no creditLedgerId' };
  });
  const call = inos.dispatch({ capsule: 'hash', method: 'm' });
  await expect(call).rejects.toBeInstanceOf(Error);
  await expect(call).rejects.toMatchObject({ code: 'ledger_missing', message: 'governance: no creditLedgerId' });
});

test('verbs wait for the kernel and fail as it failed', async () => {
  const kernel = {
    ready: Promise.reject({ name: 'InosError', code: 'wasm_load_failed', message: 'HTTP 404' }),
  } as unknown as Kernel;
  const inos: Inos = consoleApi(kernel);
  await expect(inos.nodes()).rejects.toMatchObject({ code: 'wasm_load_failed' });
});

test('help prints and returns every verb with an example', async () => {
  const print = vi.spyOn(console, 'log').mockImplementation(() => {});
  const rows = await api().inos.help();
  expect(rows.map((row) => row.verb)).toEqual(VERB_NAMES);
  expect(rows.every((row) => row.example.includes(`inos.${row.verb}`) && row.does)).toBe(true);
  const [format, ...styles] = print.mock.calls[0] as [string, ...string[]];
  expect(format.match(/%c/g)).toHaveLength(styles.length);
  print.mockRestore();
});
