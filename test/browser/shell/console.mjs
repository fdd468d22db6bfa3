// Wrong calls of verbs, files that are no capsules, and ends.
import { createHash } from 'node:crypto';
import { inPage } from '../lib/chromium.mjs';
import { equal, nobody, silent, test, wasm, IMPORTS, NAMED } from './page.mjs';

console.log('a console that is wrong');
/** Rejects with an InosError of `code` whose message matches. */
const rejects =
  (source, code, text, again = false) =>
  async (page) => {
    const error = await inPage(
      page,
      `async () => { await inos.ready; return (async () => { ${source} })().then((v) => ({ message: 'it resolved: ' + JSON.stringify(v) }), ({ name, code, message, retryable }) => ({ name, code, message, retryable })); }`,
      null,
      40_000,
    );
    equal([error.name, error.code, error.retryable], ['InosError', code, again], error.message);
    if (!text.test(error.message)) throw new Error(`the message does not say it: ${error.message}`);
  };
await test('an unknown verb', {}, rejects('return inos.foo()', 'unknown_verb', /there are help, status/));
await test('a wrong argument', {}, rejects('return inos.kill(7)', 'bad_argument', /must be a string, got 7/));
await test(
  'an unknown field',
  {},
  rejects("return inos.dispatch({ capsul: 'hash' })", 'bad_argument', /no field 'capsul'/),
);
await test('an address that does not parse', {}, rejects("return inos.connect('nonsense')", 'bad_address', /nonsense/));
await test('an unknown capsule', {}, rejects("return inos.kill('nobody')", 'unknown_capsule', /nobody/));
await test(
  'no ledger',
  {},
  rejects("return inos.dispatch({ capsule: 'hash', method: 'sha256', input: 'x' })", 'ledger_missing', /ledger/),
);
await test('a job nobody knows', {}, rejects("return inos.trace('nope')", 'unknown_job', /nope/));
await test('a policy that does not parse', {}, rejects("return inos.policy('garbage x')", 'policy_invalid', /line 1/));
await test(
  'a memory limit that is too small',
  {},
  rejects("return inos.spawn('hash', { memoryLimit: 1 })", 'capsule_memory_limit', /: 1 bytes/),
);
await test(
  'a requirement nobody meets',
  {},
  rejects(
    "const { ledgerId } = await inos.status(); return inos.dispatch({ capsule: 'hash', method: 'sha256', input: 'x', requires: ['antigravity'], creditLedgerId: ledgerId, deadlineMs: 3000 })",
    'no_candidate',
    /no node for the job.*lacks a capability of \["antigravity"\]/,
    true,
  ),
);

console.log('capsules that are none');
const offer = (name, bytes) => {
  const digest = createHash('sha256').update(bytes).digest();
  const bits = [...Buffer.concat([Buffer.from([1, 0x55, 0x12, 32]), digest])]
    .map((b) => b.toString(2).padStart(8, '0'))
    .join('');
  const cid =
    'b' +
    bits
      .match(/.{1,5}/g)
      .map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(five.padEnd(5, '0'), 2)])
      .join('');
  return {
    name,
    url: `data:application/wasm;base64,${Buffer.from(bytes).toString('base64')}`,
    cid,
    bytes: bytes.length,
  };
};
const memory = (limits) => [...NAMED('env'), ...NAMED('memory'), 2, ...limits];
const importing = (entry) => [2, entry.length + 1, 1, ...entry];
const SHARED = importing(memory([3, 17, 0x80, 0x80, 1])); // shared, 17 to 16384 pages
// inos_control is global 0, inos_run is function 0.
const EXPORTS = ((body) => [7, body.length, ...body])([2, ...NAMED('inos_control'), 3, 0, ...NAMED('inos_run'), 0, 0]);
const ABI = (version) => ((body) => [0, body.length, ...body])([...NAMED('inos.abi'), version, 0, 0, 0]);
for (const [name, bytes, code, text] of [
  ['no wasm at all', Buffer.from('not a module'), 'capsule_not_wasm', /not a WebAssembly module/],
  ['a module without a memory', wasm(), 'capsule_no_shared_memory', /env\.memory/],
  ['a memory that is not shared', wasm(...importing(memory([1, 1, 2]))), 'capsule_no_shared_memory', /shared/],
  ['an unknown import', IMPORTS('elsewhere', 'f'), 'capsule_unknown_import', /elsewhere/],
  ['no control block', wasm(...SHARED), 'capsule_no_control_block', /inos_control/],
  ['another ABI', wasm(...SHARED, ...EXPORTS, ...ABI(9)), 'capsule_abi_version', /speaks 9, this host \d/],
]) {
  await test(name, { boot: { capsules: [offer('odd', bytes)] } }, rejects("return inos.spawn('odd')", code, text));
}
await test(
  'bytes that are not those of the CID',
  { boot: { capsules: [{ ...offer('odd', wasm()), cid: offer('x', Buffer.from('other')).cid }] } },
  rejects("return inos.spawn('odd')", 'cid_mismatch', /do not match the CID/),
);

console.log('ends');
await test('a killed Worker rejects what is pending', {}, async (page) => {
  await inPage(page, () => inos.ready);
  const pending = inPage(page, (addr) => inos.connect(addr).catch((e) => e.code), nobody(silent.address().port));
  const worker = page.workers().find((w) => w.url().includes('kernel.worker'));
  await worker.evaluate(() => self.close());
  equal(await pending, 'kernel_crashed', 'the pending call');
  const seen = await inPage(page, async () => [
    await inos.status().catch((e) => e.code),
    document.querySelector('#notices .error').dataset.code,
    document.querySelector('#state').textContent,
  ]);
  equal(seen, ['kernel_crashed', 'kernel_crashed', 'crashed'], 'what is left');
});
await test('close ends the kernel, its capsules and what is pending', {}, async (page) => {
  const seen = await inPage(
    page,
    async (addr) => {
      await inos.ready;
      await inos.spawn('hash');
      const pending = inos.connect(addr).catch((e) => e.code);
      await inos.close();
      await inos.close();
      return [
        await pending,
        await inos.nodes().catch((e) => e.code),
        document.querySelector('#state').textContent,
        document.querySelectorAll('#notices .error').length,
      ];
    },
    nobody(silent.address().port),
  );
  equal(seen, ['kernel_closed', 'kernel_closed', 'closed', 0], 'what is left');
});
await test('the Worker has the same inos', {}, async (page) => {
  const { peerId } = await inPage(page, () => inos.ready);
  const worker = page.workers().find((w) => w.url().includes('kernel.worker'));
  const there = await worker.evaluate(async () => [
    (await inos.status()).peerId,
    await inos.foo().catch((e) => e.code),
  ]);
  equal(there, [peerId, 'unknown_verb'], 'in the Worker');
});
