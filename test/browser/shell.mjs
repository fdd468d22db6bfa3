// The shell's bad days, in Chromium: what is missing, broken, unreachable or
// killed gives a clear message on the page and an InosError with a stable code,
// and nothing hangs. Needs dist (make dist). Ends with "N passed, N failed".
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPage, launchChromium, openPage } from './lib/chromium.mjs';
import { startNode, stopNode } from './lib/nodes.mjs';
import { serveSpoiled } from './lib/spoiled.mjs';

const browser = await launchChromium();
let passed = 0;
let failed = 0;

/** Opens the shell as `given` serves it and runs `body`; `only` on the command line picks tests. */
async function test(name, given, body) {
  const only = process.argv.slice(2);
  if (only.length > 0 && !only.some((part) => name.includes(part))) return;
  const server = await serveSpoiled(given);
  const page = await openPage(browser);
  try {
    if (given.before) await page.addInitScript(given.before);
    await page.goto(server.url + (given.query ?? ''));
    await body(page, server);
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${error.message}\n     ${page.log.slice(-15).join('\n     ')}`);
  } finally {
    await page.context().close();
    await server.close();
  }
}

function equal(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

/** The boot fails with `code`: `inos.ready`, every verb and the page say so, and nothing stays pending. */
const fails = (code, text) => async (page) => {
  const seen = await inPage(
    page,
    async () => {
      const plain = (promise) =>
        promise.then(
          () => null,
          ({ name, code, message }) => ({ name, code, message }),
        );
      const errors = await Promise.all([
        plain(inos.ready),
        plain(inos.joined),
        plain(inos.nodes()),
        plain(inos.dispatch({})),
      ]);
      const notice = document.querySelector('#notices .error');
      return {
        errors,
        notice: notice?.dataset.code,
        role: notice?.getAttribute('role'),
        shown: notice?.textContent,
        state: document.querySelector('#state').textContent,
      };
    },
    null,
    20_000,
  );
  for (const error of seen.errors)
    equal([error?.name, error?.code], ['InosError', code], `the error (${error?.message})`);
  equal([seen.notice, seen.role], [code, 'alert'], 'the notice on the page');
  if (!text.test(seen.errors[0].message)) throw new Error(`the message does not say it: ${seen.errors[0].message}`);
  if (!seen.shown.includes(seen.errors[0].message.split('\n')[0]))
    throw new Error(`the page does not show the message: ${seen.shown}`);
  equal(seen.state, 'not started', 'the state');
};

const wasm = (...sections) => Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, ...sections]);
const NAMED = (text) => [text.length, ...Buffer.from(text)];
// One function type, one import of that type.
const IMPORTS = (module, name) => {
  const entry = [...NAMED(module), ...NAMED(name), 0x00, 0x00];
  return wasm(1, 4, 1, 0x60, 0, 0, 2, entry.length + 1, 1, ...entry);
};

console.log('what the browser or the server lacks');
await test(
  'no cross-origin isolation',
  { isolated: false },
  fails('cross_origin_isolation', /Cross-Origin-Opener-Policy/),
);
await test(
  'no WebTransport',
  { before: 'delete globalThis.WebTransport' },
  fails('webtransport_missing', /WebTransport/),
);
await test(
  'no inos.json',
  { spoil: { 'inos.json': { status: 404, body: 'gone' } } },
  fails('config_load_failed', /inos\.json.*HTTP 404/),
);
await test(
  'inos.json is a page',
  { spoil: { 'inos.json': { body: '<!doctype html>' } } },
  fails('config_load_failed', /inos\.json/),
);
await test(
  "the Worker's script is missing",
  { spoil: { 'kernel.worker': { status: 404, body: '' } } },
  fails('worker_failed', /did not load/),
);

await test(
  'no Atomics.waitAsync',
  { before: 'delete Atomics.waitAsync' },
  fails('wait_async_missing', /Atomics\.waitAsync/),
);
for (const [what, boot, text] of [
  ['capabilities that are no array', { capabilities: 'gpu' }, /capabilities must be an array of strings, not "gpu"/],
  ['a capsule without a CID', { capsules: [{ name: 'x', url: 'x', cid: 'nope', bytes: 1 }] }, /"x" has no CID/],
  ['capsules that are no array', { capsules: {} }, /capsules must be an array/],
]) {
  await test(`inos.json with ${what}`, { boot }, fails('config_load_failed', text));
}

const CSP = (script, worker) =>
  `default-src 'self'; script-src 'self' ${script}; style-src 'self' 'unsafe-inline'; worker-src ${worker}`;
await test(
  'a policy that forbids the Worker',
  { csp: CSP("'wasm-unsafe-eval'", "'none'") },
  fails('csp_refused', /worker-src.*forbids the kernel's Worker/),
);
await test(
  'a policy that forbids WebAssembly',
  { csp: CSP('', "'self'") },
  fails('csp_refused', /'wasm-unsafe-eval' to its script-src/),
);
await test(
  'no memory',
  {
    spoil: {
      'kernel.worker': (a) => ({
        body: `WebAssembly.instantiate = () => Promise.reject(new RangeError('WebAssembly.instantiate(): Out of memory'));\n${a.body}`,
      }),
    },
  },
  fails('wasm_no_memory', /close other tabs/),
);

console.log('what never comes');
// The shell's deadlines, which are ten seconds and a minute, ten times sooner.
const before = `{
  const { setTimeout, AbortSignal } = globalThis;
  const { timeout } = AbortSignal;
  globalThis.setTimeout = (f, ms, ...rest) => setTimeout(f, ms >= 10_000 ? ms / 10 : ms, ...rest);
  AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / 10);
}`;
await test(
  'an answer about inos.json',
  { before, spoil: { 'inos.json': { stall: 'all' } } },
  fails('config_load_failed', /did not come within 10 s/),
);
await test(
  'the rest of inos.json',
  { before, spoil: { 'inos.json': { stall: 'rest' } } },
  fails('config_load_failed', /did not come within 10 s/),
);
await test(
  "an answer about the Worker's script",
  { before, spoil: { 'kernel.worker': { stall: 'all' } } },
  fails('boot_timeout', /Worker did not run after 60 s/),
);
await test(
  'an answer about the kernel',
  { before, spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { stall: 'all' } : {}) } },
  fails('boot_timeout', /not ready after 60 s/),
);
await test(
  'the rest of the kernel',
  { before, spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { stall: 'rest' } : {}) } },
  fails('boot_timeout', /not ready after 60 s/),
);

console.log('what comes instead of the kernel');
await test(
  'nothing',
  { spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { status: 404, body: 'gone' } : {}) } },
  fails('wasm_load_failed', /HTTP 404/),
);
await test(
  'half of it',
  { spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { cut: true } : {}) } },
  fails('wasm_load_failed', /broke off/),
);
await test(
  'a page',
  {
    spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { type: 'text/html', body: '<!doctype html>' } : {}) },
  },
  fails('wasm_bad_module', /text\/html.*doctype/),
);
await test(
  'garbage',
  { spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { body: 'garbage' } : {}) } },
  fails('wasm_bad_module', /no WebAssembly module/),
);
await test(
  'a module with unknown imports',
  { spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { body: IMPORTS('elsewhere', 'f') } : {}) } },
  fails('wasm_instantiate_failed', /elsewhere/),
);
await test(
  'a module that is no Go program',
  { spoil: { 'kernel.': (a) => (a.type === 'application/wasm' ? { body: wasm() } : {}) } },
  fails('kernel_crashed', /kernel/),
);

console.log('a mesh that is not there');
/** The kernel is up, alone: ready resolves, joined rejects, the page says so, capsules still run. */
const alone = (text) => async (page) => {
  const seen = await inPage(
    page,
    async () => {
      await inos.ready;
      const joined = await inos.joined.then(
        () => null,
        ({ name, code, message }) => ({ name, code, message }),
      );
      const { peerId } = await inos.status();
      const { capsuleId } = await inos.spawn('hash');
      await inos.kill(capsuleId);
      const notice = document.querySelector('#notices .warning');
      return {
        joined,
        peerId,
        capsuleId,
        notice: notice?.dataset.code,
        state: document.querySelector('#state').textContent,
      };
    },
    null,
    60_000,
  );
  equal([seen.joined?.name, seen.joined?.code], ['InosError', 'bootstrap_unreachable'], 'inos.joined');
  if (!text.test(seen.joined.message)) throw new Error(`the message does not say it: ${seen.joined.message}`);
  equal([seen.notice, seen.state], ['bootstrap_unreachable', 'ready, alone'], 'the page');
};
/** The address of a node at `port` of this machine: well formed, and of nobody. */
const nobody = (port) =>
  `/ip4/127.0.0.1/udp/${port}/quic-v1/webtransport/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA`;
// A socket that takes every datagram and answers none: dialling it stays pending.
const silent = createSocket('udp4').bind(0, '127.0.0.1');
await once(silent, 'listening');
await test('a bootstrap node that is down', { boot: { bootstrap: [nobody(silent.address().port)] } }, alone(/./));
await test('a bootstrap address that does not parse', { boot: { bootstrap: ['/ip4/nowhere'] } }, alone(/./));

await test('seventeen bootstrap nodes', {
  boot: { bootstrap: Array.from({ length: 17 }, () => nobody(silent.address().port)) },
}, async (page) => {
  const { bootstrap } = await inPage(page, () => inos.status(), null, 20_000);
  equal(bootstrap.length, 16, 'what is used');
  if (!page.log.some((line) => line.includes('17 bootstrap addresses: the first 16 are used')))
    throw new Error('nothing was said');
});
await test('no bootstrap node at all', {}, async (page) => {
  equal(
    await inPage(page, () => inos.joined.catch((e) => e.code), null, 40_000),
    'bootstrap_unreachable',
    'inos.joined',
  );
});
/** Resolves once inos.status() and the page agree that the kernel is in the mesh, or that it is not. */
const standing = (page, state, shown) =>
  inPage(
    page,
    ({ state, shown }) =>
      new Promise((resolve) => {
        const look = async () => {
          const status = await inos.status();
          if (status.state !== state || document.querySelector('#state').textContent !== shown) return;
          off();
          resolve({
            peers: status.peers,
            joinedMs: status.joinedMs,
            notices: document.querySelectorAll('#notices [data-code]').length,
          });
        };
        const off = inos.on('*', look);
        void look();
      }),
    { state, shown },
    90_000,
  );
/** Runs a job that needs storage; returns where it ran. */
const ranOn = async () => {
  const { ledgerId } = await inos.status();
  return (await inos.dispatch({ capsule: 'hash', input: 'hello', requires: ['storage'], creditLedgerId: ledgerId }))
    .node;
};
const folder = await mkdtemp(join(tmpdir(), 'inos-shell-'));
const port = await new Promise((resolve) => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1', () => {
    const { port } = socket.address();
    socket.close(() => resolve(port));
  });
});
// Its key, and so its certificates and its address, are the same each time.
const start = () =>
  startNode('late', [
    'node',
    '--key',
    join(folder, 'key'),
    '--listen',
    `/ip4/127.0.0.1/udp/${port}/quic-v1/webtransport`,
    '--capabilities',
    'storage',
  ]);
let late = await start();
const bootstrap = late.ready.addrs;
await stopNode(late);
await test('a bootstrap node that comes up later, and goes again', { boot: { bootstrap } }, async (page) => {
  equal(
    await inPage(page, () => inos.joined.catch((e) => e.code), null, 60_000),
    'bootstrap_unreachable',
    'inos.joined',
  );
  const apart = await standing(page, 'ready', 'ready, alone');
  equal([apart.peers, apart.joinedMs, apart.notices], [0, null, 1], 'while it is down');
  late = await start();
  const joined = await standing(page, 'joined', 'ready, in the mesh');
  equal([joined.peers, joined.joinedMs > 0, joined.notices], [1, true, 0], 'once it is up');
  const where = await inPage(page, ranOn, null, 60_000);
  equal(where, late.ready.peerId, 'where the job ran');
  await stopNode(late);
  const left = await standing(page, 'ready', 'ready, alone');
  equal([left.peers, left.notices], [0, 0], 'once it is gone');
});
await stopNode(late);
await rm(folder, { recursive: true, force: true });
// Another node altogether: another key, port and certificate.
const elsewhere = () =>
  startNode('elsewhere', [
    'node',
    '--listen',
    '/ip4/127.0.0.1/udp/0/quic-v1/webtransport',
    '--capabilities',
    'storage',
  ]);
let other = await elsewhere();
const today = (answer) => ({ body: JSON.stringify({ ...JSON.parse(answer.body), bootstrap: other.ready.addrs }) });
await test('a bootstrap node that comes back elsewhere', { spoil: { 'inos.json': today } }, async (page) => {
  await standing(page, 'joined', 'ready, in the mesh');
  await stopNode(other);
  await standing(page, 'ready', 'ready, alone');
  other = await elsewhere();
  await standing(page, 'joined', 'ready, in the mesh');
  equal(await inPage(page, ranOn, null, 60_000), other.ready.peerId, 'where a job ran');
});
await stopNode(other);

// Two browsers that know each other by a node between them only: neither can dial the other.
{
  const between = await startNode('between', [
    'node',
    '--listen',
    '/ip4/127.0.0.1/udp/0/quic-v1/webtransport',
    '--capabilities',
    'storage',
  ]);
  await test('a browser that cannot be reached', { boot: { bootstrap: between.ready.addrs } }, async (page) => {
    const lonely = await serveSpoiled({ boot: { bootstrap: between.ready.addrs, capabilities: ['lonely'] } });
    const other = await openPage(browser);
    try {
      await other.goto(lonely.url);
      const peer = (await inPage(other, async () => (await inos.joined, inos.status()), null, 60_000)).peerId;
      const seen = await inPage(
        page,
        (peer) =>
          inos.joined.then(
            () =>
              new Promise((resolve) => {
                const look = async () => {
                  const row = (await inos.nodes()).find((row) => row.peerId === peer);
                  const shown = [...document.querySelectorAll('tr')].find((tr) =>
                    [...tr.cells].some((cell) => cell.title === peer),
                  );
                  if (!row || !shown) return;
                  off();
                  const { ledgerId } = await inos.status();
                  const job = {
                    capsule: 'hash',
                    method: 'sha256',
                    input: 'x',
                    requires: ['lonely'],
                    creditLedgerId: ledgerId,
                    deadlineMs: 2000,
                  };
                  const refused = await inos.dispatch(job).then(
                    () => ({ code: 'it ran' }),
                    ({ code, message }) => ({ code, message }),
                  );
                  resolve({ row, shown: shown.textContent, refused });
                };
                const off = inos.on('*', look);
                void look();
              }),
          ),
        peer,
        60_000,
      );
      equal([seen.row.kind, seen.row.connected, seen.row.eligible], ['browser', false, false], 'its row');
      for (const text of [seen.row.reason, seen.shown]) {
        if (
          /eligible/.test(text) ||
          !/cannot be dialled from here, and is not connected, has never answered here/.test(text)
        )
          throw new Error(`why not: ${text}`);
      }
      equal(seen.refused.code, 'no_candidate', seen.refused.message);
    } finally {
      await other.context().close();
      await lonely.close();
    }
  });
  await stopNode(between);
}

// For Chromium a page from 127.0.0.1 is local, unless it is told that the address is one of the Internet.
{
  const near = await startNode('near', ['node', '--listen', '/ip4/127.0.0.1/udp/0/quic-v1/webtransport']);
  const server = await serveSpoiled({ boot: { bootstrap: near.ready.addrs } });
  const distant = await launchChromium([`--ip-address-space-overrides=${new URL(server.url).host}=public`]);
  await test('a page of the Internet and a node on this machine', {}, async () => {
    const page = await openPage(distant);
    await page.goto(server.url);
    const seen = await inPage(
      page,
      async () => {
        await inos.ready;
        const joined = await inos.joined.then(
          () => null,
          ({ code, message }) => ({ code, message }),
        );
        const dialled = await inos.connect((await inos.status()).bootstrap[0]).then(
          () => null,
          ({ code, message, retryable }) => ({ code, message, retryable }),
        );
        const notice = [...document.querySelectorAll('#notices .warning')].at(-1);
        return { joined, dialled, shown: notice?.textContent, code: notice?.dataset.code };
      },
      null,
      60_000,
    );
    equal(
      [seen.joined?.code, seen.dialled?.code, seen.dialled?.retryable, seen.code],
      ['bootstrap_unreachable', 'local_network_denied', true, 'local_network_denied'],
      `what is said: ${JSON.stringify(seen)}`,
    );
    for (const text of [seen.joined.message, seen.dialled.message, seen.shown]) {
      if (!/"loopback-network" is denied: allow local network access for this site/.test(text))
        throw new Error(`it does not say what to do: ${text}`);
    }
    if (!/^The browser keeps this page from the local network/.test(seen.shown))
      throw new Error(`the page says: ${seen.shown}`);
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, 'local-network.png') });
    // The kernel goes on trying, so that it joins once the user has allowed it.
    await page.context().grantPermissions(['local-network-access']);
    equal((await standing(page, 'joined', 'ready, in the mesh')).notices, 0, 'what the page still says');
    await page.context().close();
  });
  await distant.close();
  await server.close();
  await stopNode(near);
}

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

await browser.close();
silent.close();
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
