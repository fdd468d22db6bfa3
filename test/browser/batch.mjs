// 2,000 dispatches at once, more than the kernel has in flight, in both browsers: all are done,
// calls meanwhile are answered, and as many cancels all get through. Needs `make dist native`.
// Argument: the browsers. Ends with "N passed, M failed".
import { inPage, launchChromium, openPage } from './lib/chromium.mjs';
import { launchFirefox } from './lib/firefox.mjs';
import { startNode, stopNode } from './lib/nodes.mjs';
import { serveSpoiled } from './lib/spoiled.mjs';

const JOBS = 2000;
const MS = 400_000;

const pages = {
  async chromium() {
    const browser = await launchChromium();
    return { page: await openPage(browser), close: () => browser.close() };
  },
  firefox: launchFirefox,
};

/** Runs in the page. */
async function batch({ jobs }) {
  await inos.joined;
  const { ledgerId } = await inos.status();
  const began = performance.now();
  let first;
  const some = new Promise((resolve) => (first = resolve));
  const all = Array.from({ length: jobs }, (_, i) =>
    inos
      .dispatch({ capsule: 'hash', input: String(i), requires: ['storage'], creditLedgerId: ledgerId })
      .then(
        ({ text }) => text.trim().split(' ').at(-1),
        (error) => `${error.code}: ${error.message}`,
      )
      .finally(first),
  );
  await some;
  const asked = performance.now();
  const answers = await Promise.all([inos.status(), inos.jobs(), inos.capsules(), inos.nodes()]);
  const answered = performance.now() - asked;
  const ends = await Promise.all(all);
  return {
    ends: new Set(ends).size,
    wrong: ends.filter((end) => !/^[0-9a-f]{64}$/.test(end)).slice(0, 3),
    listed: answers[1].length,
    answered,
    took: performance.now() - began,
  };
}

/** Runs in the page: cancels all it sees until every dispatch has ended. */
async function cancelAll({ jobs }) {
  const { ledgerId } = await inos.status();
  const ends = {};
  const cancels = {};
  const count = (into, what) => (into[what] = (into[what] ?? 0) + 1);
  const job = { capsule: 'hash', input: new Uint8Array(64 << 10), requires: ['storage'], creditLedgerId: ledgerId };
  const all = Array.from({ length: jobs }, () =>
    inos.dispatch(job).then(
      () => count(ends, 'done'),
      ({ code }) => count(ends, code),
    ),
  );
  let over = false;
  const end = Promise.all(all).then(() => (over = true));
  while (!over) {
    const ids = (await inos.jobs())
      .filter(({ state }) => ['queued', 'placed', 'running'].includes(state))
      .map(({ id }) => id);
    await Promise.all(
      ids.map((id) =>
        inos.cancel(id).then(
          () => count(cancels, 'passed'),
          ({ code }) => count(cancels, code),
        ),
      ),
    );
  }
  await end;
  return { ends, cancels };
}

const node = await startNode('few slots', [
  'node',
  '--listen',
  '/ip4/127.0.0.1/udp/0/quic-v1/webtransport',
  '--capabilities',
  'storage',
  '--slots',
  '4',
]);
const server = await serveSpoiled({ boot: { bootstrap: node.ready.addrs } });
let passed = 0;
let failed = 0;

async function test(name, page, fn, judge) {
  try {
    const seen = await inPage(page, fn, { jobs: JOBS }, MS);
    const wrong = judge(seen);
    if (wrong) throw new Error(`${wrong}: ${JSON.stringify(seen)}`);
    passed++;
    console.log(`ok   ${name}: ${JSON.stringify(seen)}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.message}\n     ${page.log.slice(-15).join('\n     ')}`);
  }
}

const names = process.argv.slice(2);
for (const browser of names.length > 0 ? names : Object.keys(pages)) {
  const { page, close } = await pages[browser]();
  await page.goto(server.url);
  await test(
    `${browser}, ${JOBS} dispatches at once`,
    page,
    batch,
    ({ ends, wrong, listed }) =>
      (wrong.length > 0 && 'what went wrong') || (ends !== JOBS && 'results') || (listed === 0 && 'jobs()'),
  );
  await test(`${browser}, as many cancelled`, page, cancelAll, ({ ends, cancels }) => {
    const { done = 0, cancelled = 0, ...others } = ends;
    // A job that has ended by itself meanwhile cannot be cancelled.
    const { passed = 0, unknown_job = 0, ...refused } = cancels;
    if (Object.keys(others).length > 0 || done + cancelled !== JOBS) return 'dispatches ended otherwise';
    if (Object.keys(refused).length > 0) return 'cancels were refused';
    return (passed < 442 || passed < cancelled) && 'cancels that passed';
  });
  await close();
}
await server.close();
await stopNode(node);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
