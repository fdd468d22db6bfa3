// The steps of the demo, in order. Each prints what a person needs to follow it
// and throws at the first thing that is not as it must be.
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { inPage } from '../lib/chromium.mjs';
import { MESH } from '../lib/mesh.mjs';
import { root } from '../lib/nodes.mjs';
import { check, duration, figure, say, short, step, table } from '../lib/transcript.mjs';
import { byTheForm, dispatch, explanations, found, lifecycle, localCapsule, marks, rejection } from './page.mjs';

const require = createRequire(new URL('../../../web/package.json', import.meta.url));
const { blake3 } = await import(pathToFileURL(require.resolve('@noble/hashes/blake3.js')));

const INPUT_BYTES = 1 << 20;

/** Bytes that anybody can make again: a 32-bit xorshift. */
function input(seed, length) {
  const bytes = new Uint8Array(length);
  for (let i = 0, x = seed; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const expected = {
  sha256: (bytes) => `sha256 ${createHash('sha256').update(bytes).digest('hex')}`,
  blake3: (bytes) => `blake3 ${hex(blake3(bytes))}`,
};
const kb = (bytes) => `${(bytes / 1e3).toFixed(1)} kB`;
const mb = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

function printConsidered(result) {
  table(
    ['considered', 'latency', 'cost', 'score', 'why'],
    result.considered.map((c) => [
      `${c.chosen ? '→' : ' '} ${c.name || short(c.peerId)}`,
      `${figure(c.latencyMs)} ms`,
      `${c.creditCost} µc/s`,
      c.eligible ? figure(c.score) : '–',
      c.reason,
    ]),
  );
}

/** Runs every step; returns the figures to print. */
export async function runSteps({ mesh, page }) {
  const build = JSON.parse(await readFile(`${root}dist/build.json`, 'utf8'));
  const natives = new Set(mesh.nodes.map((node) => node.ready.peerId));

  await step('Three native nodes on loopback, one of which serves the shell', () => {
    table(
      ['node', 'peer', 'capabilities', 'cost', 'latency'],
      mesh.nodes.map((node, i) => [
        node.name,
        short(node.ready.peerId),
        MESH[i].capabilities,
        `${MESH[i].cost} µc/s`,
        `${MESH[i].latencyMs} ms`,
      ]),
    );
    say(`the shell is at ${mesh.url}: kernel.wasm ${mb(build.kernel.bytes)}, ${mb(build.kernel.brotli)} as brotli`);
    check(natives.size === MESH.length, 'each node has a peer id of its own');
  });

  const status = await step(
    'A browser loads the shell; the kernel boots in its Worker and joins the mesh',
    async () => {
      await page.goto(mesh.url);
      const info = await inPage(page, () => inos.ready, null, 60_000);
      const status = await inPage(
        page,
        async () => {
          await inos.joined;
          return inos.status();
        },
        null,
        60_000,
      );
      table(
        ['phase', 'after navigation', 'detail'],
        status.phases.map((p) => [p.name, duration(p.at), p.detail]),
      );
      check(
        info.peerId === status.peerId && !natives.has(info.peerId),
        `the kernel is a libp2p host of its own: ${short(info.peerId)}`,
      );
      check(status.peers >= 1, `it speaks Noise over WebTransport with ${status.peers} of the nodes`);
      return status;
    },
  );

  await step("It finds the nodes that provide 'storage' by their provider records in the DHT", async () => {
    const began = performance.now();
    const { rows, looked, nodes } = await inPage(page, found, { capability: 'storage', peers: [...natives] }, 60_000);
    table(
      ['record of', 'heard before', 'link', 'capabilities', 'latency', 'from', 'cost', 'score'],
      rows.map((n) => [
        n.name,
        n.heard ? 'yes' : 'no',
        n.connected ? 'connected' : 'known',
        n.capabilities.join(','),
        `${figure(n.latencyMs)} ms`,
        n.latencyFrom,
        `${n.creditCost} µc/s`,
        figure(n.score),
      ]),
    );
    check(
      rows.length === natives.size && rows.every((n) => natives.has(n.peerId) && n.capabilities.includes('storage')),
      `inos.find('storage') has a record of all three, ${duration(performance.now() - began)} later, looked up ${looked} time${looked === 1 ? '' : 's'}; /inos.json named only ${MESH[0].name}`,
    );
    const others = nodes.filter((n) => !n.self);
    check(
      others.length === natives.size && others.every((n) => natives.has(n.peerId)),
      'inos.nodes() knows the same three, and itself',
    );
    const none = await inPage(page, () => inos.find('quantum'));
    check(none.length === 0, "of 'quantum' there is no record");
  });

  const spawned = await step('It spawns the hash capsule in a second Worker and hears its heart', async () => {
    const workers = page.workers?.().length; // Firefox does not tell
    const { reply, row, ms } = await inPage(page, localCapsule, 'hash', 60_000);
    say(
      `LifecycleCmd spawn → ${reply.code}: ${reply.capsuleId}, ${reply.memoryBytes >> 10} KiB of shared memory, epoch ${reply.memoryEpoch}, in ${duration(ms)}`,
    );
    say(
      `HealthHeartbeat ${row.heartbeats}: ${row.state}, memory ${row.memoryBytes >> 10} KiB, ${row.jobsDone} jobs, ${duration(row.cpuMs)} of CPU`,
    );
    check(row.state === 'healthy', 'the capsule is healthy');
    if (page.workers) check(page.workers().length > workers, 'it has a Worker of its own');
    return reply;
  });

  await step('A job without requirements runs where it scores best: here, in the capsule', async () => {
    const bytes = input(7, 4096);
    const result = await dispatch(page, { capsule: 'hash', method: 'sha256', creditLedgerId: status.ledgerId }, bytes);
    printConsidered(result);
    check(
      result.local,
      `it ran in the browser in ${duration(result.totalMs)}, of which ${duration(result.runMs)} in the capsule`,
    );
    check(result.text.trim() === expected.sha256(bytes), `${result.text.trim()} is what node:crypto says`);
  });

  const remote = await step(
    "A job that needs 'storage', which only native nodes have, goes to the best of them",
    async () => {
      const bytes = input(2026, INPUT_BYTES);
      const job = { capsule: 'hash', method: 'blake3', requires: ['storage'], creditLedgerId: status.ledgerId };
      const result = await dispatch(page, job, bytes);
      printConsidered(result);
      checkChoice(result, natives);
      const [why, none] = await inPage(page, explanations, result.jobId);
      check(
        why.chosen === result.node && why.considered.length === result.considered.length,
        `inos.explain says the same: ${why.summary}`,
      );
      check(
        none.chosen === '' && none.summary.includes('without "quantum" 3 would do'),
        `and of a job that needs 'quantum' too: ${none.summary}`,
      );
      const capsule = build.capsules.find((c) => c.name === 'hash');
      say(
        `${mb(bytes.length)} of input and ${kb(result.capsuleBytes)} of capsule (${short(capsule.cid)}) went over WebTransport`,
      );
      say(
        `it ran under wazero: ${duration(result.runMs)} there, ${duration(result.totalMs)} in all, for ${result.cost} µc`,
      );
      check(result.capsuleBytes >= capsule.bytes, 'the capsule travelled: the node did not have it');
      check(result.text.trim() === expected.blake3(bytes), `${result.text.trim()} is what @noble/hashes says`);

      const again = await dispatch(page, { ...job, method: 'sha256' }, bytes);
      check(again.text.trim() === expected.sha256(bytes), `${again.text.trim()} is what node:crypto says`);
      if (again.node === result.node)
        check(
          again.capsuleBytes === 0,
          `${again.nodeName} kept the capsule: this time none of it travelled, ${duration(again.totalMs)}`,
        );
      return result;
    },
  );

  await step('Jobs that nobody pays for are rejected at once', async () => {
    const before = await inPage(page, () => inos.jobs());
    for (const [what, ledger, code] of [
      ['without a creditLedgerId', undefined, 'ledger_missing'],
      ['with a malformed one', 'ledger:not-a-key', 'ledger_malformed'],
    ]) {
      const { error, ms } = await inPage(page, rejection, {
        capsule: 'hash',
        method: 'sha256',
        requires: ['storage'],
        creditLedgerId: ledger,
      });
      check(
        error?.name === 'InosError' && error.code === code,
        `${what}: ${error?.code}, "${error?.message}", after ${duration(ms)}`,
      );
    }
    const after = await inPage(page, () => inos.jobs());
    const ran = after.filter((job) => !before.some((old) => old.id === job.id) && job.node);
    check(ran.length === 0, 'neither reached a node');
  });

  await step('The capsule is commanded like a process, and the job has left its marks', async () => {
    const done = await inPage(page, lifecycle, spawned.capsuleId, 60_000);
    say(done.replies.map(([verb, reply]) => `${verb} → ${reply.code}`).join(', '));
    check(
      done.replies.every(([, reply]) => reply.code === 'ok'),
      `its memory grew to ${done.grown >> 10} KiB while the rings ran`,
    );
    check(
      done.restored !== spawned.capsuleId,
      `its snapshot ${short(done.snapshotCid)} lives on as ${done.restored}, ${done.row.state}`,
    );
    const { spans, why, entries, report } = await inPage(page, marks, remote.jobId);
    table(
      ['span', 'node', 'start', 'took'],
      spans.map((s) => [s.name, s.node, duration(s.startMs), duration(s.durationMs)]),
    );
    check(new Set(spans.map((s) => s.node)).size > 1, 'the trace holds spans of both nodes');
    check(why.admitted && why.rule === 'admitted', `governance: ${why.rule}, policy version ${why.policyVersion}`);
    say(`ledger: ${entries.map((e) => `${e.kind} ${e.kind === 'settle' ? e.cost : e.amount}`).join(', ')} µc`);
    check(
      entries.some((e) => e.kind === 'settle'),
      'the receipt settled what was held',
    );
    check(
      report.ok,
      `the chain of ${report.entries} entries verifies${report.durable ? ', and outlasts the page' : ''}`,
    );
  });

  await step('What the page shows', async () => {
    await mkdir(`${root}build`, { recursive: true });
    await showJob(page, remote);
    await page.screenshot({ path: `${root}build/demo.png`, fullPage: true });
    say('build/demo.png is the page as it is now');
    const reply = await inPage(page, (id) => inos.kill(id), spawned.capsuleId);
    check(reply.code === 'ok', `LifecycleCmd kill → ${reply.code}`);
    const end = await inPage(page, async () => {
      await inos.close();
      return inos.status().catch((e) => e.code);
    });
    check(end === 'kernel_closed', 'inos.close() ended the kernel, and later calls say so');
  });

  return [
    ['kernel.wasm', mb(build.kernel.bytes)],
    ['kernel.wasm, brotli 11', mb(build.kernel.brotli)],
    ['navigation to a ready kernel', duration(status.readyMs)],
    ['navigation to a joined mesh', duration(status.joinedMs)],
    ...build.capsules.map((c) => [`capsule ${c.name}`, kb(c.bytes)]),
    [`${mb(INPUT_BYTES)} hashed on another node`, duration(remote.totalMs)],
  ];
}

/** The choice must have the best score of all that fit; nearest and cheapest are said beside it. */
function checkChoice(result, natives) {
  const fit = result.considered.filter((c) => c.eligible);
  const best = (by) => fit.reduce((a, b) => (by(b) < by(a) ? b : a));
  const chosen = fit.find((c) => c.chosen);
  const name = (c) => c.name || short(c.peerId);
  check(fit.length === natives.size, `all ${natives.size} native nodes were fit for it, and nobody else`);
  check(
    chosen && natives.has(result.node) && chosen.peerId === result.node,
    `${name(chosen)} ran it, after ${result.attempts} attempt${result.attempts === 1 ? '' : 's'}`,
  );
  check(chosen === best((c) => -c.score), `${name(chosen)} has the best score, ${figure(chosen.score)}: ${result.why}`);
  const formula = 1000 / Math.max(chosen.latencyMs, 0.1) / Math.max(chosen.creditCost, 1);
  // The score is the formula's, unless the node has failed or its reputation is not a stranger's: here nothing of it is.
  check(
    Math.abs(formula - chosen.score) <= 1e-9 * formula,
    `its score is the formula's: (1000 / ${figure(chosen.latencyMs)}) × (1 / ${chosen.creditCost}) = ${figure(formula)}`,
  );
  // Latencies are measured: on a machine that is busy another may be the nearest.
  const nearest = best((c) => c.latencyMs);
  const cheapest = best((c) => c.creditCost);
  say(chosen === nearest ? 'it is also the nearest, as measured just now' : `${name(nearest)} is nearer, but dearer`);
  say(chosen === cheapest ? 'it is also the cheapest' : `${name(cheapest)} is cheaper, but farther`);
}

/** Does once by the page's own form what the console did, so that the picture shows it. */
async function showJob(page) {
  const failed = await inPage(page, byTheForm, 'storage', 60_000);
  if (failed) throw new Error(`the page's own form failed: ${failed}`);
}
