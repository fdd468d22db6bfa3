// The console's verbs on capsules here and on another node: a browser kernel, a native
// node whose policy lets anybody spawn there, the whole of a capsule's life between
// them, and long streams into slow ones. Needs `make dist native`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPage, launchChromium, openPage } from '../lib/chromium.mjs';
import { launchFirefox } from '../lib/firefox.mjs';
import { root, startNode, stopNode } from '../lib/nodes.mjs';
import { comeAndGo, lives, slowFeed } from './streams.mjs';

const LISTEN = '/ip4/127.0.0.1/udp/0/quic-v1/webtransport';

/** Runs in the page. Every check that fails throws. */
async function wholeLife({ node, mebibytes }) {
  const said = [];
  const check = (ok, what) => {
    if (!ok) throw new Error(what);
  };
  const refused = (promise) =>
    promise.then(
      () => 'nothing',
      (error) => error.code,
    );
  const { ledgerId } = await inos.status();
  const total = async (capsuleId) => (await inos.call(capsuleId, 'total')).text;
  const line = 'größer words, and a few löngish ones\n';
  const bytes = new TextEncoder().encode(line.repeat(Math.ceil((mebibytes << 20) / 39)));
  const part = (from, to) => bytes.subarray(Math.floor(bytes.length * from), Math.floor(bytes.length * to));

  check((await refused(inos.feed(`${node}/nobody`, 'x'))) !== 'nothing', 'nobody was fed');
  check((await refused(inos.call(`${node}/nobody`, 'total'))) !== 'nothing', 'nor called');
  const there = await inos.spawn('wordcount', { node, creditLedgerId: ledgerId });
  check(there.capsuleId.startsWith(`${node}/`), `an address of its own: ${there.capsuleId}`);
  check((await inos.capsules()).length === 0, 'it does not run here');
  // Another of the same module, which has been fed nothing: it answers for itself.
  const twin = await inos.spawn('wordcount', { node, creditLedgerId: ledgerId });

  const began = performance.now();
  const fed = await inos.feed(there.capsuleId, part(0, 0.4));
  const seconds = (performance.now() - began) / 1000;
  check(fed.bytes === part(0, 0.4).length, `${fed.bytes} bytes were fed`);
  said.push(`browser to the node's capsule: ${(fed.bytes / 1e6 / seconds).toFixed(0)} MB/s`);

  const grown = await inos.resize(there.capsuleId, there.memoryBytes + (1 << 18));
  check(
    grown.memoryBytes === there.memoryBytes + (1 << 18) && grown.memoryEpoch > there.memoryEpoch,
    'it grew, in a new epoch',
  );
  check((await refused(inos.snapshot(there.capsuleId))) !== 'nothing', 'a snapshot of what is not paused');

  await inos.pause(there.capsuleId);
  // A stream into what is paused waits; the connection goes on all the while.
  const waiting = inos.feed(there.capsuleId, part(0.4, 0.8));
  const { snapshotCid } = await inos.snapshot(there.capsuleId);
  await inos.resume(there.capsuleId);
  check((await waiting).bytes === part(0.4, 0.8).length, 'all of it came after the pause');
  await inos.feed(there.capsuleId, part(0.8, 1));
  const stayed = await total(there.capsuleId);
  check(stayed.includes(`bytes ${bytes.length}\n`), stayed);

  check((await total(twin.capsuleId)).includes('bytes 0\n'), 'the other one was fed nothing');
  check((await refused(inos.call(twin.capsuleId, 'nonsense'))) === 'unknown_method', 'its error comes home');
  await inos.kill(twin.capsuleId);

  // The node's capsule, paused once more, goes on here.
  await inos.pause(there.capsuleId);
  const last = await inos.snapshot(there.capsuleId);
  check((await refused(total(there.capsuleId))) === 'capsule_paused', 'what is paused takes no calls');
  const here = await inos.spawn(last.snapshotCid);
  check(!here.capsuleId.includes('/') && last.snapshotCid !== snapshotCid, 'it runs here');
  check((await total(here.capsuleId)) === stayed, 'and has what it had there');

  // A job without an end runs until it is called off.
  let off;
  const before = new Set((await inos.jobs()).map((job) => job.id)); // events of theirs may still come
  const placed = new Promise(
    (resolve) =>
      (off = inos.on('job', (event) => event.state === 'placed' && !before.has(event.id) && resolve(event.id))),
  );
  const ended = refused(
    inos.dispatch({ capsule: 'fault', method: 'work', requires: ['pasture'], creditLedgerId: ledgerId }),
  );
  const id = await placed;
  await inos.cancel(id);
  check((await ended) === 'cancelled', `the cancelled job ended as ${await ended}`);
  check((await inos.jobs()).find((job) => job.id === id)?.state === 'cancelled', 'and is listed as cancelled');
  check((await refused(inos.cancel(id))) === 'unknown_job', 'what has ended cannot be cancelled');
  off();

  await inos.kill(there.capsuleId);
  check((await refused(inos.feed(there.capsuleId, 'x'))) === 'unknown_capsule', 'the dead are not fed');
  check((await refused(inos.pause(there.capsuleId))) !== 'nothing', 'nor paused');
  return said;
}

/** Runs in the page: which names a capsule may have, and that a name is one's only. */
async function names(fault) {
  const check = (ok, what) => {
    if (!ok) throw new Error(what);
  };
  const wasm = Uint8Array.from(atob(fault), (c) => c.charCodeAt(0));
  const refused = (...args) =>
    inos.publish(...args).then(
      () => 'nothing',
      ({ code, message, retryable }) => `${code} ${retryable} ${message}`,
    );
  const bad = [];
  for (const name of ['a b', '../x', 'a.b', 'x'.repeat(65), (await inos.publish('fault', wasm)).cid])
    bad.push(await refused(name, wasm));
  check(
    bad.every((error) => error.startsWith('bad_name false ') && error.includes('expected a word like')),
    `names that are none: ${bad}`,
  );
  const taken = await refused('wordcount', wasm);
  const { cid } = (await inos.catalog()).find((offer) => offer.name === 'wordcount');
  check(
    taken.startsWith('name_taken false ') && taken.includes(cid) && taken.includes('replace: true'),
    `a name that exists: ${taken}`,
  );
  check(
    (await inos.catalog()).some((offer) => offer.name === 'wordcount' && offer.cid === cid),
    'it has its capsule still',
  );
  await inos.publish('mine', wasm);
  const replaced = await inos.publish('mine', new Uint8Array([...wasm, 0, 2, 1, 120]), { replace: true }); // one more custom section
  check((await inos.catalog()).find((offer) => offer.name === 'mine').cid === replaced.cid, 'it has the other now');
  return taken;
}

/** Runs in the page: a policy from the console, whole or not at all. */
async function policies() {
  const check = (ok, what) => {
    if (!ok) throw new Error(what);
  };
  const refused = (promise) =>
    promise.then(
      () => 'nothing',
      (error) => error.code,
    );
  const { ledgerId } = await inos.status();
  await inos.dispatch({ capsule: 'wordcount', input: 'to be', creditLedgerId: ledgerId });
  const { cid } = (await inos.catalog()).find((offer) => offer.name === 'wordcount');
  const text = `policy "no counting"\nversion 1\ndeny capsule ${cid}\n`;
  const dry = await inos.policy(text);
  check(
    dry.looked > 0 && dry.changes.some((change) => change.after === 'policy.capsule'),
    'the dry run says which jobs it would have refused',
  );
  check(!(await inos.policy()).includes('deny'), 'a dry run puts nothing in force');
  const done = await inos.enforce(text);
  check(done.version === 1 && done.changes.length === dry.changes.length, 'in force');
  check(
    (await refused(inos.dispatch({ capsule: 'wordcount', method: 'total', creditLedgerId: ledgerId }))) ===
      'capsule_denied',
    'and kept to',
  );
  check((await refused(inos.spawn('wordcount'))) !== 'nothing', 'by spawn too');
  check((await refused(inos.enforce('version 1\n'))) === 'policy_stale', 'an older one is not taken');
  check((await refused(inos.enforce('version 2\nbudget many\n'))) === 'policy_invalid', 'nor half a one');
}

/** The part of a browser that the tests need: its one page, the remaining capsules in its kernel
 * (null: it does not tell), its end. */
const open = {
  async chromium() {
    const browser = await launchChromium();
    const page = await openPage(browser);
    const left = () =>
      page
        .workers()
        .find((worker) => worker.url().includes('kernel.worker'))
        .evaluate(() => globalThis.__inosCapsules.stats());
    return { page, left, close: () => browser.close() };
  },
  async firefox() {
    const { page, close } = await launchFirefox();
    return { page, left: null, close };
  },
};

/** Resolves to how many tests passed and failed in the browser called `name`. `long` is the longest stream, in MiB. */
export async function consoleTests(name, long = 256) {
  const work = mkdtempSync(join(tmpdir(), 'inos-console-'));
  const counts = { passed: 0, failed: 0 };
  let node;
  let browser;
  let page;
  const test = async (name, fn, arg) => {
    const began = performance.now();
    try {
      for (const line of [await inPage(page, fn, arg, 400_000)].flat().filter(Boolean)) console.log(`     ${line}`);
      counts.passed++;
      console.log(`ok   ${name} (${Math.round(performance.now() - began)} ms)`);
    } catch (error) {
      counts.failed++;
      console.log(`FAIL ${name}: ${error.code ?? ''} ${error.message}`);
      for (const line of [...page.log, ...node.log].slice(-40)) console.log(`     | ${line}`);
    }
  };
  try {
    const [key, text, policy] = ['key', 'policy', 'policy.signed'].map((file) => join(work, file));
    writeFileSync(text, 'version 1\nlifecycle anybody spawn\n');
    const made = spawnSync(`${root}build/inos`, ['id', '--make', '--key', key]);
    if (made.status !== 0) throw new Error(`inos id: ${made.stderr}`);
    const signed = spawnSync(`${root}build/inos`, ['policy', 'sign', '-key', key, '-out', policy, text]);
    if (signed.status !== 0) throw new Error(`inos policy sign: ${signed.stderr}`);
    node = await startNode('pasture', [
      'serve',
      '--dist',
      'dist',
      '--http',
      '127.0.0.1:0',
      '--listen',
      LISTEN,
      '--name',
      'pasture',
      '--capabilities',
      'pasture',
      '--key',
      key,
      '--policy',
      policy,
    ]);
    const fault = readFileSync(`${root}build/capsules/fault.wasm`).toString('base64');
    browser = await open[name]();
    page = browser.page;
    await page.goto(node.ready.http);
    await inPage(page, async () => void (await inos.joined), null, 120_000);
    await inPage(
      page,
      (wasm) =>
        inos.publish(
          'fault',
          Uint8Array.from(atob(wasm), (c) => c.charCodeAt(0)),
        ),
      fault,
    );
    const peer = node.ready.peerId;
    await test("a whole life on another node, by the console's verbs", wholeLife, { node: peer, mebibytes: 32 });
    await test('a long stream into a slow capsule here', slowFeed, { mebibytes: long, delay: 300_000 });
    await test('a long stream into a slow capsule on another node', slowFeed, {
      mebibytes: Math.ceil(long / 4),
      delay: 10_000,
      node: peer,
    });
    await test('a thousand capsules come and go', comeAndGo, { rounds: 1000 });
    if (browser.left) {
      await test(
        'of those that came and went nothing is left',
        (left) => {
          // One of each of the modules used so far may be kept, and instances of jobs.
          if (left.instances > 20 || left.workers > 20 || left.modules > 20) throw new Error(JSON.stringify(left));
          return JSON.stringify(left);
        },
        await browser.left(),
      );
    }
    await test('what a spawn says, and what is heard of a capsule', lives);
    await test('names of capsules', names, fault);
    await test('a policy from the console', policies);
    await page.goto(node.ready.http);
    await test('the next visit has it', async () => {
      await inos.ready;
      if (!(await inos.policy()).includes('policy "no counting"')) throw new Error('it was forgotten');
    });
  } catch (error) {
    counts.failed++;
    console.log(`FAIL console: ${error.message}`);
  } finally {
    await browser?.close().catch(() => {});
    if (node) await stopNode(node);
    rmSync(work, { recursive: true, force: true });
  }
  return counts;
}
