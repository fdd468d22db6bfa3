// What becomes of the key and the ledger where a browser keeps nothing, keeps it for
// another tab, or runs out of room: the kernel starts, says so on the page and in
// inos.status(), and works. In both browsers with an origin private file system that
// refuses at each of its calls in turn, and in Firefox as it is in a private window and
// where site data is blocked. Needs dist (make dist). Ends with "N passed, N failed".
//
//   node test/browser/storage.mjs [PART OF A NAME]... [--shots FOLDER]
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { inPage, launchChromium, openPage } from './lib/chromium.mjs';
import { launchFirefox } from './lib/firefox.mjs';
import { serveSpoiled } from './lib/spoiled.mjs';

const words = process.argv.slice(2);
const at = words.indexOf('--shots');
const shots = at < 0 ? null : words.splice(at, 2)[1];
if (shots) await mkdir(shots, { recursive: true });
let passed = 0;
let failed = 0;

async function test(name, body) {
  if (words.length > 0 && !words.some((part) => name.includes(part))) return;
  try {
    await body();
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${error.stack ?? error}\n     ${(error.log ?? []).slice(-15).join('\n     ')}`);
  }
}

function equal(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

/** Makes the shell's kernel Worker run `source` first. */
const first = (source) => ({ 'kernel.worker': (answer) => ({ body: `${source}\n${answer.body}` }) });

/** What the page and the console say of where the ledger is, once the kernel is ready; and that a job is run and paid for. */
const standing = () =>
  inos.ready.then(async (info) => {
    const status = await inos.status();
    const job = await inos.dispatch({
      capsule: 'hash',
      method: 'sha256',
      input: 'hello',
      creditLedgerId: info.ledgerId,
    });
    const notice = document.querySelector('#notices [data-code]:not([data-code=bootstrap_unreachable])');
    return {
      ready: [info.durable, info.durableReason],
      status: [status.durable, status.durableReason],
      detail: status.durableDetail,
      verified: (await inos.ledger('verify')).durable,
      job: job.text.slice(0, 15),
      peerId: status.peerId,
      notice: notice?.dataset.code ?? '',
      text: notice?.textContent ?? '',
      means: document.querySelector('#means').textContent,
    };
  });

/** The page of a kernel whose ledger lasts as long as the tab, for `reason`. */
async function lasting(page, reason, detail, text) {
  const seen = await inPage(page, standing, null, 40_000);
  equal([seen.ready, seen.status, seen.verified], [[false, reason], [false, reason], false], 'durable, and why');
  equal([seen.notice, seen.job], [reason, 'sha256 2cf24dba'], 'the notice on the page, and the job');
  for (const [pattern, where] of [
    [detail, seen.detail],
    [text, seen.text],
    [/last as long as this tab/, seen.means],
  ]) {
    if (!pattern.test(where)) throw new Error(`it does not say ${pattern}: ${where}`);
  }
  return seen;
}

const chromium = await launchChromium();

/** Runs `body` with a page of its own browser context that shows the shell as `given` serves it. */
async function inChromium(given, body) {
  const server = await serveSpoiled(given);
  const page = await openPage(chromium);
  try {
    await page.goto(server.url);
    await body(page, server);
  } catch (error) {
    throw Object.assign(error, { log: page.log });
  } finally {
    await page.context().close();
    await server.close();
  }
}

const HANDLE = 'FileSystemSyncAccessHandle';
/** Has a call of the origin private file system, or of Web Locks, throw from its nth use on, or reject where it returns a promise. */
const throwing = (type, method, name, from = 1) => `{
  const honest = ${type}.prototype.${method};
  let uses = 0;
  ${type}.prototype.${method} = function (...args) {
    if (++uses < ${from}) return honest.apply(this, args);
    const thrown = new DOMException('on purpose', '${name}');
    ${type === HANDLE || method === 'keys' ? 'throw thrown' : 'return Promise.reject(thrown)'};
  };
}`;
/** The call that is refused, or null, in each Worker that is loaded from now on. */
const refusing = () => {
  const now = { call: null };
  return [now, { 'kernel.worker': (answer) => ({ body: `${now.call ? throwing(...now.call) : ''}\n${answer.body}` }) }];
};
const reasonFor = (name) => (name === 'QuotaExceededError' ? 'storage_full' : 'storage_refused');

/** Every error at every call that opens, locks or reads: the kernel works, and what was kept before is there after. */
async function everyRefusal(page, url, now) {
  await page.goto(url);
  const before = await inPage(page, standing, null, 60_000);
  equal(before.status, [true, ''], 'the first visit');
  for (const [type, method] of [
    ['StorageManager', 'getDirectory'],
    ['FileSystemDirectoryHandle', 'getDirectoryHandle'],
    ['FileSystemDirectoryHandle', 'getFileHandle'],
    ['FileSystemDirectoryHandle', 'keys'],
    ['FileSystemFileHandle', 'createSyncAccessHandle'],
    ['LockManager', 'request'],
    [HANDLE, 'getSize'],
    [HANDLE, 'read'],
  ]) {
    for (const name of [
      'SecurityError',
      'InvalidStateError',
      'NoModificationAllowedError',
      'QuotaExceededError',
      'UnknownError',
    ]) {
      now.call = [type, method, name];
      await page.goto(url);
      const seen = await lasting(page, reasonFor(name), new RegExp(`${name}.*on purpose`), /Reload$/).catch((error) => {
        throw new Error(`${method} and ${name}: ${error.message}`, { cause: error });
      });
      if (seen.peerId === before.peerId)
        throw new Error(`${method} and ${name}: a key was used whose ledger was refused`);
    }
  }
  now.call = null;
  await page.goto(url);
  const after = await inPage(page, standing, null, 60_000);
  equal(
    [after.status, after.peerId, after.notice],
    [[true, ''], before.peerId, ''],
    'what was kept, once nothing is refused',
  );
}

await test('every refusal in Chromium', () => {
  const [now, spoil] = refusing();
  return inChromium({ spoil }, (page, { url }) => everyRefusal(page, url, now));
});
for (const [type, method, name, from] of [
  ['FileSystemDirectoryHandle', 'getFileHandle', 'QuotaExceededError', 4],
  ['FileSystemFileHandle', 'createSyncAccessHandle', 'NoModificationAllowedError', 3],
  [HANDLE, 'getSize', 'InvalidStateError', 5],
  [HANDLE, 'write', 'QuotaExceededError'],
  [HANDLE, 'write', 'InvalidStateError', 6],
  [HANDLE, 'flush', 'UnknownError'],
  [HANDLE, 'flush', 'QuotaExceededError', 4],
]) {
  await test(`on a first visit ${method} throws ${name}${from ? ` from its use ${from} on` : ''}`, () =>
    inChromium({ spoil: first(throwing(type, method, name, from)) }, (page) =>
      lasting(page, reasonFor(name), new RegExp(`${name}.*on purpose`), /Reload$/),
    ));
}
await test('a second read throws on a later visit', () => {
  const [now, spoil] = refusing();
  return inChromium({ spoil }, async (page) => {
    equal((await inPage(page, standing)).status, [true, ''], 'the first visit');
    now.call = [HANDLE, 'read', 'NotAllowedError', 2];
    await page.reload();
    await lasting(page, 'storage_refused', /NotAllowedError/, /normal window/);
  });
});
await test('a read that gives nothing is no damage', () => {
  const spoil = { 'kernel.worker': (answer) => ({ body: `${spoil.source ?? ''}\n${answer.body}` }) };
  return inChromium({ spoil }, async (page) => {
    const before = await inPage(page, standing);
    spoil.source = `${HANDLE}.prototype.read = () => 0;`;
    await page.reload();
    await lasting(page, 'storage_refused', /read none of the bytes from 0 on/, /normal window/);
    spoil.source = '';
    await page.reload();
    equal((await inPage(page, standing)).peerId, before.peerId, 'what was left as it is');
  });
});
await test('a browser without the file system', () =>
  inChromium({ spoil: first('delete FileSystemFileHandle.prototype.createSyncAccessHandle') }, (page) =>
    lasting(page, 'storage_unsupported', /synchronous access/, /Chromium 108/),
  ));
await test('a short write that is called a success', () =>
  inChromium(
    {
      spoil: first(`FileSystemSyncAccessHandle.prototype.write = ((honest) => function (bytes, options) {
    return honest.call(this, bytes.subarray(0, bytes.length >> 1), options);
  })(FileSystemSyncAccessHandle.prototype.write)`),
    },
    (page) => lasting(page, 'storage_full', /wrote \d+ of \d+ bytes/, /Make room/),
  ));
await test('what is kept is damaged', () => {
  let spoiled = false;
  const damage = `const damaged = new Map();
    FileSystemSyncAccessHandle.prototype.read = ((honest) => function (bytes, options) {
      const n = honest.call(this, bytes, options);
      if (options.at === 0 && n > 60) bytes[50] ^= 1;
      return n;
    })(FileSystemSyncAccessHandle.prototype.read)`;
  return inChromium(
    { spoil: { 'kernel.worker': (answer) => ({ body: `${spoiled ? damage : ''}\n${answer.body}` }) } },
    async (page) => {
      const before = await inPage(page, standing);
      spoiled = true;
      await page.reload();
      await lasting(page, 'storage_damaged', /damaged|verify/, /clear this site's data/);
      spoiled = false;
      await page.reload();
      equal((await inPage(page, standing)).peerId, before.peerId, 'what was left as it is');
    },
  );
});

await test('a second tab', () =>
  inChromium({}, async (page, server) => {
    const one = await inPage(page, standing);
    equal([one.status, one.notice], [[true, ''], ''], 'the first tab');
    const second = await page.context().newPage();
    await second.goto(server.url);
    const two = await lasting(
      second,
      'second_tab',
      /another process or tab/,
      /This is a second tab.*empty ledger.*close it and reload this one/s,
    );
    if (shots) await second.screenshot({ path: join(shots, 'second-tab.png') });
    await page.close();
    await second.waitForSelector('#notices [data-code=first_tab_gone]');
    equal(await second.locator('#notices [data-code=second_tab]').count(), 0, 'the notice that is over');
    equal(
      await inPage(second, () => inos.status().then((s) => s.peerId)),
      two.peerId,
      'it does not take over by itself',
    );
    if (shots) await second.screenshot({ path: join(shots, 'first-tab-gone.png') });
    await second.reload();
    const taken = await inPage(second, standing);
    equal([taken.status, taken.peerId, taken.notice], [[true, ''], one.peerId, ''], 'after the reload');
  }));
await test('a quota that is reached while it runs', () =>
  inChromium(
    {
      spoil: first(`FileSystemSyncAccessHandle.prototype.write = ((honest) => function (...args) {
  if (globalThis.full) throw new DOMException('on purpose', 'QuotaExceededError');
  return honest.apply(this, args);
})(FileSystemSyncAccessHandle.prototype.write)`),
    },
    async (page) => {
      const before = await inPage(page, standing);
      const worker = page.workers().find((w) => w.url().includes('kernel.worker'));
      const books = () =>
        inPage(page, async () => [
          (await inos.ledger()).find((row) => row.own).available,
          (await inos.ledger('verify')).entries,
        ]);
      const run = () =>
        inPage(page, async () => {
          const { ledgerId } = await inos.status();
          return inos.dispatch({ capsule: 'hash', method: 'sha256', input: 'again', creditLedgerId: ledgerId }).then(
            (job) => ({ text: job.text }),
            ({ code, retryable, message }) => ({ code, retryable, message }),
          );
        });
      const had = await books();
      await worker.evaluate(() => {
        globalThis.full = true;
      });
      const refused = await run();
      equal([refused.code, refused.retryable], ['log_failed', true], refused.message ?? refused.text);
      if (!/QuotaExceededError.*on purpose/.test(refused.message) || !/make room/.test(refused.message))
        throw new Error(`it does not say why: ${refused.message}`);
      equal((await run()).code, 'log_failed', 'at once again');
      equal(await books(), had, 'nothing has moved');
      await worker.evaluate(() => {
        globalThis.full = false;
      });
      let last;
      for (const until = Date.now() + 40_000; Date.now() < until && !last?.text; ) last = await run(); // the log is tried again after a pause
      if (!last?.text) throw new Error(`it does not go on: ${JSON.stringify(last)}`);
      const [, entries] = await books();
      if (entries <= had[1]) throw new Error(`${entries} entries, and ${had[1]} before`);
      await page.reload();
      const after = await inPage(page, standing);
      equal([after.peerId, after.status], [before.peerId, [true, '']], 'after a reload');
    },
  ));
await test('a reload right away keeps the ledger', () =>
  inChromium({}, async (page) => {
    const { peerId } = await inPage(page, standing);
    for (let i = 0; i < 3; i++) {
      await page.reload();
      const again = await inPage(page, standing);
      equal([again.status, again.peerId], [[true, ''], peerId], `reload ${i + 1}`);
    }
  }));
await chromium.close();

/** Serves the shell as `spoil` says, to a Firefox with `prefs`; `body` gets its page, a server and a
 * function that opens another tab. */
async function inFirefox(prefs, spoil, shot, body) {
  const server = await serveSpoiled({ spoil });
  let browser;
  try {
    browser = await launchFirefox({ prefs });
    await browser.page.goto(server.url);
    await body(browser.page, server, browser.tab);
    if (shots) await browser.page.screenshot({ path: join(shots, shot) });
  } catch (error) {
    throw Object.assign(error, { log: browser?.page.log });
  } finally {
    await browser?.close();
    await server.close();
  }
}
await test('every refusal in Firefox', () => {
  const [now, spoil] = refusing();
  return inFirefox({}, spoil, 'firefox.png', (page, { url }) => everyRefusal(page, url, now));
});
await test('a second tab of Firefox', () =>
  inFirefox({}, {}, 'firefox-second-tab.png', async (page, { url }, tab) => {
    const one = await inPage(page, standing);
    equal([one.status, one.notice], [[true, ''], ''], 'the first tab');
    await tab();
    await page.goto(url);
    const two = await lasting(
      page,
      'second_tab',
      /another process or tab/,
      /This is a second tab.*empty ledger.*close it and reload this one/s,
    );
    if (two.peerId === one.peerId) throw new Error('two kernels with one key');
  }));
await test('a private window of Firefox', () =>
  inFirefox({ 'browser.privatebrowsing.autostart': true }, {}, 'firefox-private.png', (page) =>
    lasting(page, 'storage_refused', /SecurityError/, /normal window/),
  ));
await test('a Firefox that blocks site data', () =>
  inFirefox({ 'network.cookie.cookieBehavior': 2 }, {}, 'firefox-blocked.png', (page) =>
    lasting(page, 'storage_refused', /SecurityError/, /allow it to store data/),
  ));

console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
