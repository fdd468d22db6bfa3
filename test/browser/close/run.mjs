// A kernel that ends with 1,000 dispatches in flight: it is closed, its Worker killed, its page
// reloaded. Every dispatch ends with the code of that reason, and the browser lives. Needs `make
// dist native`. Arguments: how often it is closed in each browser (4; the other two a tenth of it,
// once at least), then the browsers. Ends with "N passed, M failed".
import { inPage, launchChromium, openPage } from '../lib/chromium.mjs';
import { launchFirefox } from '../lib/firefox.mjs';
import { startMesh } from '../lib/mesh.mjs';
import { stopAll } from '../lib/nodes.mjs';
import { serveSpoiled } from '../lib/spoiled.mjs';

const JOBS = 1000;
const ROUND_MS = 120_000;
const CODES = { close: 'kernel_closed', kill: 'kernel_crashed' };

/** Runs in the page, first of all: keeps the kernel's Worker, which only the shell has. */
const KEEP_WORKER = `<script>
  globalThis.Worker = class extends Worker {
    constructor(url, options) {
      super(url, options);
      if (options?.name === 'inos-kernel') globalThis.kernelWorker = this;
    }
  };
</script>`;

/**
 * Runs in the page: puts the dispatches in flight and, once the first is done, ends the kernel. Returns how many were
 * pending then, and how many ended by which code.
 */
async function endUnderLoad({ how, jobs, code }) {
  await inos.joined;
  const { ledgerId } = await inos.status();
  await inos.spawn('hash');
  const input = new Uint8Array(1 << 10);
  const ends = {};
  const said = [];
  let first;
  const some = new Promise((resolve) => (first = resolve));
  const all = Array.from({ length: jobs }, (_, i) => {
    input[0] = i;
    input[1] = i >> 8;
    // Half of them may run here; the others go to other nodes.
    const job = { capsule: 'hash', input, requires: i % 2 ? ['storage'] : [], budget: 100, creditLedgerId: ledgerId };
    return inos
      .dispatch(job)
      .then(
        () => 'done',
        (error) => {
          if (error.code !== code) said.push(error.message);
          return error.code;
        },
      )
      .then((end) => {
        ends[end] = (ends[end] ?? 0) + 1;
        first(end);
      });
  });
  await some;
  const pending = jobs - Object.values(ends).reduce((a, b) => a + b, 0);
  if (how === 'reload') return { pending, ends, said };
  if (how === 'close') await inos.close();
  else kernelWorker.terminate();
  await Promise.all(all);
  return { pending, ends, said };
}

function judge(how, { pending, ends, said }) {
  const others = Object.keys(ends).filter((code) => code !== 'done' && code !== CODES[how]);
  if (others.length > 0) throw new Error(`dispatches ended otherwise: ${JSON.stringify(ends)}: ${said}`);
  if (how !== 'reload' && !(ends[CODES[how]] > 0)) throw new Error(`nothing was pending: ${JSON.stringify(ends)}`);
  return `${pending} pending`;
}

/** One page's life: after a reload the next kernel has to come up, too. */
async function life(page, url, how) {
  await page.goto(url);
  const said = judge(how, await inPage(page, endUnderLoad, { how, jobs: JOBS, code: CODES[how] }, ROUND_MS));
  if (how === 'reload') {
    await page.goto(`${url}?again`);
    await inPage(page, async () => void (await inos.joined), null, ROUND_MS);
  }
  return said;
}

/** A browser whose rounds are independent: one that crashed is started anew. */
const drivers = {
  async chromium() {
    let browser = await launchChromium();
    return {
      async round(url, how) {
        if (!browser.isConnected()) browser = await launchChromium();
        const page = await openPage(browser);
        try {
          const crashed = new Promise((_, reject) =>
            page.once('crash', () => reject(new Error('the renderer crashed'))),
          );
          return await Promise.race([life(page, url, how), crashed]);
        } catch (error) {
          error.log = page.log;
          throw error;
        } finally {
          await page
            .context()
            .close()
            .catch(() => {});
        }
      },
      close: () => browser.close(),
    };
  },
  async firefox() {
    let firefox = await launchFirefox();
    return {
      async round(url, how) {
        try {
          return await life(firefox.page, url, how);
        } catch (error) {
          error.log = firefox.page.log;
          await firefox.close().catch(() => {});
          firefox = await launchFirefox();
          throw error;
        }
      },
      close: () => firefox.close(),
    };
  },
};

const [rounds = '4', ...names] = process.argv.slice(2);
const times = Number(rounds);
if (!(times >= 1) || names.some((name) => !(name in drivers)))
  throw new Error('usage: run.mjs [ROUNDS] [chromium] [firefox]');
const plan = [
  ['close', times],
  ['kill', Math.ceil(times / 10)],
  ['reload', Math.ceil(times / 10)],
];

let passed = 0;
let failed = 0;
const mesh = await startMesh();
const server = await serveSpoiled({
  boot: { bootstrap: mesh.nodes.flatMap(({ ready }) => ready.addrs) },
  spoil: {
    'index.html': ({ body }) => ({ body: Buffer.from(String(body).replace('<head>', `<head>${KEEP_WORKER}`)) }),
  },
});
for (const name of names.length > 0 ? names : Object.keys(drivers)) {
  const driver = await drivers[name]();
  for (const [how, count] of plan) {
    for (let n = 1; n <= count; n++) {
      const began = performance.now();
      try {
        const said = await driver.round(server.url, how);
        passed++;
        console.log(`ok   ${name}, ${how} ${n} of ${count}: ${said} (${Math.round(performance.now() - began)} ms)`);
      } catch (error) {
        failed++;
        console.log(
          `FAIL ${name}, ${how} ${n} of ${count}: ${error.message}\n     ${(error.log ?? []).slice(-15).join('\n     ')}`,
        );
      }
    }
  }
  await driver.close().catch(() => {});
}
await server.close();
await stopAll();
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
