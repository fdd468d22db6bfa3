// One trace across machines, seen by a third: a kernel in headless Chromium dispatches a
// job to a native node. The kernel cannot speak OTLP: it ships its spans as Cap'n Proto over
// /inos/trace/1 to a node that can (inos node -otlp), which sends them to a collector,
// as the node that ran the job sends its own.
//
//   node test/browser/trace/run.mjs      (needs `make dist native`)
import { randomBytes } from 'node:crypto';
import { inPage, launchChromium, openPage } from '../lib/chromium.mjs';
import { startNode, stopAll } from '../lib/nodes.mjs';
import { found } from '../demo/page.mjs';
import { startCollector } from './collector.mjs';

const WAIT_MS = 60_000;
const LISTEN = '/ip4/127.0.0.1/udp/0/quic-v1/webtransport';

function check(ok, what) {
  if (!ok) throw new Error(`not so: ${what}`);
  console.log(`ok: ${what}`);
}

let browser;
let page;
let server;
let failure;
const collector = await startCollector();
try {
  server = await startNode('worker', [
    'serve',
    '--dist',
    'dist',
    '--http',
    '127.0.0.1:0',
    '--name',
    'worker',
    '--capabilities',
    'storage',
    '--listen',
    LISTEN,
    '--otlp',
    collector.url,
  ]);
  const worker = server.ready.peerId;
  browser = await launchChromium();
  page = await openPage(browser);
  await page.goto(server.ready.http);
  const status = await inPage(
    page,
    async () => {
      await inos.ready;
      await inos.joined;
      return inos.status();
    },
    null,
    WAIT_MS,
  );
  await inPage(page, found, { capability: 'storage', peers: [worker] }, WAIT_MS);

  const [trace, parent] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  const job = await inPage(
    page,
    async ({ ledger, traceParent }) => {
      const { jobId, node, text } = await inos.dispatch({
        capsule: 'hash',
        method: 'sha256',
        input: 'hello',
        requires: ['storage'],
        creditLedgerId: ledger,
        traceParent,
      });
      return { jobId, node, text, rows: await inos.trace(jobId) };
    },
    { ledger: status.ledgerId, traceParent: `00-${trace}-${parent}-01` },
    WAIT_MS,
  );
  check(job.node === worker, `the job ran on the native node: ${job.text.trim()}`);
  check(
    job.rows.length > 0 && job.rows.every((row) => row.trace === trace),
    `inos.trace: ${job.rows.length} spans, all of the console's traceParent ${trace}`,
  );

  const names = (of) => collector.spans.filter((s) => s.trace === trace && s.node === of).map((s) => s.name);
  await collector.until(
    () =>
      names(status.peerId).includes('dispatch') &&
      names(status.peerId).includes('transfer') &&
      names(worker).includes('serve') &&
      names(worker).includes('run'),
    WAIT_MS,
  );
  check(
    true,
    `the collector has, of Chromium's kernel: ${names(status.peerId).join(', ')}; of the native node: ${names(worker).join(', ')}`,
  );
  const mine = collector.spans.filter((s) => s.trace === trace);
  check(
    mine.every((s) => s.job === job.jobId),
    `all of them are of job ${job.jobId}`,
  );
  check(new Set(mine.map((s) => s.span)).size === mine.length, 'each span came once');
  const ids = new Set(mine.map((s) => s.span));
  const loose = mine.filter((s) => !ids.has(s.parent));
  check(
    loose.length === 1 && loose[0].parent === parent && loose[0].node === status.peerId,
    "they are one tree, and its root is the console's span's child",
  );
  const serve = mine.find((s) => s.name === 'serve');
  check(
    mine.find((s) => s.span === serve.parent)?.name === 'transfer',
    'what the native node served hangs below what the browser transferred',
  );
} catch (error) {
  failure = error;
  console.error(`FAIL ${error.stack ?? error}`);
  for (const line of [...(page?.log ?? []), ...(server?.log ?? [])].slice(-60)) console.error(`  ${line}`);
}
await browser?.close();
await stopAll();
collector.close();
process.exit(failure ? 1 : 0);
