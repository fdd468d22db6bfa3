// Clocks that differ, in browsers: the clock of the kernel's Worker is wrong by seconds to
// days, at the start or set while it runs, beside a native node whose clock is right. Jobs
// with deadlines are done and paid for, and beyond a minute the page, inos.status() and the
// error of a job that found no node say so. The Worker's Date is moved, which is all that
// the kernel knows of the machine's clock; the browser itself, which checks certificates,
// has the right one. Then the other way around: the node's clock is wrong, which dates its
// certificates, too, and the browser's is right. Needs dist and the native node (make dist native). Ends with
// "N passed, N failed".
//
//   node test/browser/clock.mjs [chromium] [firefox]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPage, launchChromium, openPage } from './lib/chromium.mjs';
import { launchFirefox } from './lib/firefox.mjs';
import { root, startNode, stopNode } from './lib/nodes.mjs';
import { serveSpoiled } from './lib/spoiled.mjs';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const OFFSETS = [20 * SECOND, -20 * SECOND, 100 * SECOND, -100 * SECOND, HOUR, -HOUR, 48 * HOUR, -48 * HOUR];
const SLEEP = 600 * SECOND; // its monotonic clock stands still: only the other one moves
const AT_ONCE = 4; // pages
const words = process.argv.slice(2);
let passed = 0;
let failed = 0;

const WORKER = ['node', '--listen', '/ip4/127.0.0.1/udp/0/quic-v1/webtransport', '--capabilities', 'storage'];
const node = await startNode('right', WORKER);

const folder = mkdtempSync(join(tmpdir(), 'inos-clock-'));
const wrong = join(folder, 'inos'); // a program whose clock is ahead by $INOS_CLOCK_AHEAD
const built = spawnSync('go', ['build', '-tags', 'wrongclock', '-o', wrong, './cmd/inos'], {
  cwd: root,
  env: { ...process.env, CGO_ENABLED: '0' },
  stdio: 'inherit',
});
if (built.status !== 0) throw new Error('the node with a wrong clock was not built');

/** A server whose pages' kernels start with a clock that is `ahead`, and hear on the channel of that when it is set. */
const serve = (ahead, nodes = [node]) =>
  serveSpoiled({
    boot: { bootstrap: nodes.flatMap(({ ready }) => ready.addrs) },
    spoil: {
      'kernel.worker': (answer) => ({
        body: `{
        const Right = Date;
        let ahead = ${ahead};
        globalThis.Date = class extends Right {
          constructor(...args) { if (args.length > 0) super(...args); else super(Right.now() + ahead); }
          static now() { return Right.now() + ahead; }
        };
        globalThis.clockSet = new BroadcastChannel('clock');
        clockSet.onmessage = ({ data }) => { ahead = data; clockSet.postMessage('set'); };
      }
      ${answer.body}`,
      }),
    },
  });

function equal(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

/** Sets the clock of the page's kernel; resolves when it has been. */
const set = (page, ahead) =>
  inPage(
    page,
    (to) =>
      new Promise((resolve) => {
        const channel = new BroadcastChannel('clock');
        channel.onmessage = () => {
          channel.close();
          resolve(null);
        };
        channel.postMessage(to);
      }),
    ahead,
  );

/** A job with a deadline of 8 s that another node does, paid by a voucher. */
async function work(page, when) {
  const seen = await inPage(
    page,
    async () => {
      await inos.joined;
      const { ledgerId, peerId } = await inos.status();
      const job = await inos.dispatch({
        capsule: 'hash',
        method: 'sha256',
        input: 'hello',
        requires: ['storage'],
        deadlineMs: 8000,
        creditLedgerId: ledgerId,
      });
      const own = (await inos.ledger()).find((row) => row.own);
      return { text: job.text.slice(0, 15), paid: job.paid, elsewhere: job.peerId !== peerId, held: own.held };
    },
    null,
    60_000,
  );
  equal(seen, { text: 'sha256 2cf24dba', paid: true, elsewhere: true, held: 0 }, `a job ${when}`);
}

/** The kernel's form of it: "1m40s ahead of". */
function said(ahead) {
  const s = Math.abs(ahead) / SECOND;
  const parts = [s >= 3600 && `${Math.floor(s / 3600)}h`, s >= 60 && `${Math.floor(s / 60) % 60}m`, `${s % 60}s`];
  return `${parts.filter(Boolean).join('')} ${ahead < 0 ? 'behind' : 'ahead of'} 1 of 1 peers`;
}

/** Waits until the page reports the clock as it must, if at all. */
async function told(page, ahead, when) {
  const wrong = Math.abs(ahead) > 60 * SECOND;
  const seen = await inPage(
    page,
    ({ text }) =>
      new Promise((resolve) => {
        const notices = document.querySelector('#notices');
        const look = () => {
          const now = notices.querySelector('[data-code=clock_offset]')?.textContent ?? '';
          if (text ? !now.includes(text) : now) return;
          watch.disconnect();
          resolve(now);
        };
        const watch = new MutationObserver(look);
        watch.observe(notices, { childList: true, subtree: true, characterData: true });
        look();
      }).then(async () => {
        const { clockOffsetMs } = await inos.status();
        return {
          clockOffsetMs,
          log: [...document.querySelectorAll('#log li')]
            .filter((li) => li.textContent.includes('clock:offset'))
            .map((li) => li.className),
        };
      }),
    { text: wrong ? said(ahead) : '' },
    40_000,
  ).catch((error) => {
    throw new Error(`${when}, ${said(ahead)}: ${error.message}`);
  });
  if (!(Math.abs(seen.clockOffsetMs - ahead) < SECOND))
    throw new Error(`${when}: clockOffsetMs is ${seen.clockOffsetMs}, wanted ${ahead}`);
  if (wrong) equal(seen.log[0], 'warn', `the log ${when}`);
}

/** The text of the error of a job that finds no node. */
async function nobody(page, ahead) {
  const seen = await inPage(page, async () => {
    const { ledgerId } = await inos.status();
    return inos
      .dispatch({
        capsule: 'hash',
        method: 'sha256',
        input: 'x',
        requires: ['nonesuch'],
        deadlineMs: 500,
        creditLedgerId: ledgerId,
      })
      .then(
        () => ({ code: 'it ran' }),
        ({ code, message }) => ({ code, message }),
      );
  });
  equal(seen.code, 'no_candidate', seen.message);
  equal(
    seen.message.includes(`this machine's clock is ${said(ahead)}: set it right`),
    Math.abs(ahead) > 60 * SECOND,
    seen.message,
  );
}

async function test(name, open, ahead, jumps) {
  const server = await serve(ahead);
  let page;
  try {
    page = await open(server.url);
    await work(page, 'at the start');
    await told(page, ahead, 'at the start');
    await nobody(page, ahead);
    for (const to of jumps) {
      await set(page, to);
      await work(page, `once the clock is ${said(to)}`);
      await told(page, to, 'once it is set');
      await work(page, 'after that');
    }
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(
      `FAIL ${name}\n     ${error.stack ?? error}\n     ${(page?.log ?? []).slice(-15).join('\n     ')}\n     ${node.log.slice(-10).join('\n     ')}`,
    );
  } finally {
    await page?.context?.().close();
    await server.close();
  }
}

/** Beside a node whose clock is `ahead` the page's own seems to be behind: its kernel reports the
 * same as if it were. */
async function beside(name, open, ahead) {
  const worker = await startNode('wrong', WORKER, { program: wrong, env: { INOS_CLOCK_AHEAD: `${ahead / SECOND}s` } });
  const server = await serve(0, [worker]);
  let page;
  try {
    page = await open(server.url);
    await work(page, 'beside it');
    await told(page, -ahead, 'beside it');
    await work(page, 'after that');
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(
      `FAIL ${name}\n     ${error.stack ?? error}\n     ${[...(page?.log ?? []).slice(-15), ...worker.log.slice(-10)].join('\n     ')}`,
    );
  } finally {
    await page?.context?.().close();
    await server.close();
    await stopNode(worker);
  }
}

if (words.length === 0 || words.includes('chromium')) {
  const browser = await launchChromium();
  const waiting = [...OFFSETS.map((off) => [off, [-off, 0]]), [0, [SLEEP]]];
  const open = async (url) => {
    const page = await openPage(browser);
    await page.goto(url);
    return page;
  };
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next; (next = waiting.shift()); )
        await test(`Chromium, ${said(next[0])}, then ${next[1].map(said).join(', then ')}`, open, ...next);
    }),
  );
  const apart = [...OFFSETS];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next; (next = apart.shift()); )
        await beside(`Chromium, beside a node that is ${next / SECOND} s ahead`, open, next);
    }),
  );
  await browser.close();
}
if (words.length === 0 || words.includes('firefox')) {
  const { page, close } = await launchFirefox();
  const open = async (url) => {
    await page.goto(url);
    return page;
  };
  for (const off of OFFSETS) await test(`Firefox, ${said(-off)}, then ${said(off)}`, open, -off, [off]);
  await test('Firefox, asleep for ten minutes', open, 0, [SLEEP]);
  for (const off of OFFSETS) await beside(`Firefox, beside a node that is ${off / SECOND} s ahead`, open, off);
  await close();
}

await stopNode(node);
rmSync(folder, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
