// Many jobs at once, in Chromium, as the README's example writes them: with an allowance
// of 100 credits, one native node of two slots, and no budget and no deadline, every one
// of them is done. Needs dist and the native node (make dist native). Ends with
// "N passed, N failed".
import { inPage, launchChromium, openPage } from './lib/chromium.mjs';
import { startNode, stopNode } from './lib/nodes.mjs';
import { serveSpoiled } from './lib/spoiled.mjs';

const AT_ONCE = 200;
let passed = 0;
let failed = 0;

const node = await startNode('few slots', [
  'node',
  '--listen',
  '/ip4/127.0.0.1/udp/0/quic-v1/webtransport',
  '--capabilities',
  'storage',
  '--slots',
  '2',
]);
const server = await serveSpoiled({ boot: { bootstrap: node.ready.addrs } });
const browser = await launchChromium();

async function test(name, body, ms = 60_000) {
  const page = await openPage(browser);
  try {
    await page.goto(server.url);
    await body(page, ms);
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${error.message}\n     ${page.log.slice(-15).join('\n     ')}`);
  } finally {
    await page.context().close();
  }
}

function equal(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

await test(`${AT_ONCE} dispatches at once`, async (page, ms) => {
  const seen = await inPage(
    page,
    async (n) => {
      await inos.joined;
      const { ledgerId } = await inos.status();
      const started = performance.now();
      const ends = await Promise.allSettled(
        Array.from({ length: n }, () =>
          inos.dispatch({
            capsule: 'hash',
            method: 'sha256',
            input: 'hello',
            requires: ['storage'],
            creditLedgerId: ledgerId,
          }),
        ),
      );
      const took = performance.now() - started;
      const done = ends.flatMap(({ value }) => value ?? []);
      const own = (await inos.ledger()).find((row) => row.own);
      return {
        errors: [...new Set(ends.flatMap(({ reason }) => (reason ? `${reason.code}: ${reason.message}` : [])))],
        texts: [...new Set(done.map(({ text }) => text.trim()))],
        cost: done.reduce((sum, { cost }) => sum + cost, 0),
        paid: done.every(({ paid }) => paid),
        held: own.held,
        spent: -own.balance,
        took,
      };
    },
    AT_ONCE,
    ms,
  );
  equal(seen.errors, [], 'what went wrong');
  equal(seen.texts, ['sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'], 'the results');
  equal([seen.paid, seen.held, seen.spent], [true, 0, seen.cost], 'paid, nothing held, what was spent');
  console.log(`     ${AT_ONCE} in ${(seen.took / 1000).toFixed(2)} s, ${seen.cost} microcredits`);
});

await test(
  `${AT_ONCE} thumbnails at once`,
  async (page, ms) => {
    const seen = await inPage(
      page,
      async (n) => {
        await inos.joined;
        const { ledgerId } = await inos.status();
        const canvas = new OffscreenCanvas(1600, 1200);
        const context = canvas.getContext('2d');
        for (let i = 0; i < 4000; i++) {
          context.fillStyle = `hsl(${i * 7} 80% 50%)`;
          context.fillRect((i * 389) % 1600, (i * 241) % 1200, 60, 40);
        }
        const input = new Uint8Array(
          await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 })).arrayBuffer(),
        );
        const started = performance.now();
        const ends = await Promise.allSettled(
          Array.from({ length: n }, () =>
            inos.dispatch({
              capsule: 'image',
              method: 'resize',
              args: ['160', '0', 'jpeg', '80', 'lanczos'],
              input,
              requires: ['storage'],
              creditLedgerId: ledgerId,
            }),
          ),
        );
        const done = ends.flatMap(({ value }) => value ?? []);
        return {
          errors: [...new Set(ends.flatMap(({ reason }) => (reason ? `${reason.code}: ${reason.message}` : [])))],
          cids: new Set(done.map(({ outputCid }) => outputCid)).size,
          done: done.length,
          bytes: input.length,
          took: performance.now() - started,
          queued: Math.max(...done.map(({ queuedMs }) => queuedMs)),
        };
      },
      AT_ONCE,
      ms,
    );
    equal(seen.errors, [], 'what went wrong');
    equal([seen.done, seen.cids], [AT_ONCE, 1], 'done, different pictures');
    console.log(
      `     ${AT_ONCE} of ${seen.bytes} bytes in ${(seen.took / 1000).toFixed(2)} s, the last one queued for ${(seen.queued / 1000).toFixed(2)} s`,
    );
  },
  400_000,
);

await test(
  'a deadline that passes in the queue says so',
  async (page, ms) => {
    const seen = await inPage(
      page,
      async (n) => {
        await inos.joined;
        const { ledgerId } = await inos.status();
        const job = {
          capsule: 'hash',
          method: 'sha256',
          input: new Uint8Array(4 << 20),
          requires: ['storage'],
          creditLedgerId: ledgerId,
        };
        const others = Promise.allSettled(Array.from({ length: n }, () => inos.dispatch(job)));
        const late = await inos.dispatch({ ...job, deadlineMs: 200 }).catch(({ code, message }) => ({ code, message }));
        const failed = (await others).flatMap(({ reason }) => (reason ? reason.message : []));
        return { ...late, failed };
      },
      40,
      ms,
    );
    equal([seen.code, seen.failed], ['deadline', []], seen.message);
    if (!/waited .*s (in the queue|for the kernel)/.test(seen.message))
      throw new Error(`the message does not say it: ${seen.message}`);
    console.log(`     ${seen.message}`);
  },
  120_000,
);

await test('figures that are none', async (page, ms) => {
  const seen = await inPage(
    page,
    async () => {
      const { ledgerId } = await inos.status();
      const errors = [];
      for (const field of ['budget', 'deadlineMs']) {
        for (const value of [0, -1, NaN, 1.5, Infinity, '8']) {
          errors.push(
            await inos.dispatch({ capsule: 'hash', creditLedgerId: ledgerId, [field]: value }).then(
              () => 'it ran',
              ({ code }) => code,
            ),
          );
        }
      }
      return [...new Set(errors)];
    },
    null,
    ms,
  );
  equal(seen, ['bad_argument'], 'what they are');
});

await browser.close();
await server.close();
await stopNode(node);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
