// A mesh that is missing, comes and goes, or may not be reached.
import { createSocket } from 'node:dgram';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPage, launchChromium, openPage } from '../lib/chromium.mjs';
import { startNode, stopNode } from '../lib/nodes.mjs';
import { serveSpoiled } from '../lib/spoiled.mjs';
import { browser, equal, nobody, silent, test } from './page.mjs';

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
// A different node: another key, port and certificate.
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

// Two browsers that know each other only through a node between them: neither can dial the other.
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
