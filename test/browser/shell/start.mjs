// What keeps a kernel from starting: the browser, the server, the module.
import { inPage } from '../lib/chromium.mjs';
import { equal, IMPORTS, test, wasm } from './page.mjs';

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
// The shell's deadlines, of ten seconds and a minute, ten times shorter.
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
