// What the demo runs inside the page. The functions are sent as their source: they
// may use nothing but their argument and `inos`.
import { inPage } from '../lib/chromium.mjs';

/**
 * Looks `capability` up in the DHT until it has a provider record of every one of `peers` and each has been measured: a
 * node that has just started writes its records soon after. Gossip cannot answer this. Returns the nodes found, how often
 * was looked, and what inos.nodes() says.
 */
export async function found({ capability, peers }) {
  for (let looked = 1; ; looked++) {
    const rows = await inos.find(capability);
    if (peers.every((id) => rows.some((n) => n.peerId === id && n.latencyFrom === 'ping'))) {
      return { rows: rows.sort((a, b) => a.name.localeCompare(b.name)), looked, nodes: await inos.nodes() };
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Spawns a capsule and waits until a heartbeat of its own has come. */
export async function localCapsule(name) {
  let heard = () => {};
  const off = inos.on('heartbeat', () => heard());
  try {
    const began = performance.now();
    const reply = await inos.spawn(name);
    const ms = performance.now() - began;
    for (;;) {
      const news = new Promise((resolve) => (heard = resolve));
      const row = (await inos.capsules()).find((capsule) => capsule.id === reply.capsuleId);
      if (!row) throw new Error(`inos.capsules() does not list ${reply.capsuleId}`);
      if (row.heartbeats > 0) return { reply, row, ms };
      await news;
    }
  } finally {
    off();
  }
}

/** Dispatches a job whose input is `bytes`; the result comes without its output, of which `text` is enough here. */
export function dispatch(page, job, bytes) {
  return inPage(
    page,
    async ({ job, base64 }) => {
      const input = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const { output, ...rest } = await inos.dispatch({ ...job, input });
      return { ...rest, outputBytes: output.length };
    },
    { job, base64: Buffer.from(bytes).toString('base64') },
    60_000,
  );
}

/** Explains where one job ran and why, and why another could run nowhere. */
export function explanations(jobId) {
  return Promise.all([inos.explain(jobId), inos.explain({ capsule: 'hash', requires: ['storage', 'quantum'] })]);
}

/** Dispatches a job that must not run; returns how it was rejected, and how fast. */
export async function rejection(job) {
  const began = performance.now();
  try {
    await inos.dispatch({ ...job, input: 'nobody pays for this' });
    return { error: null, ms: performance.now() - began };
  } catch ({ name, code, message }) {
    return { error: { name, code, message }, ms: performance.now() - began };
  }
}

/** Pauses, snapshots, resumes and grows a capsule, and starts another from the snapshot. */
export async function lifecycle(id) {
  const replies = [];
  const command = async (verb, ...args) => {
    const reply = await inos[verb](...args);
    replies.push([verb, reply]);
    return reply;
  };
  await command('pause', id);
  const { snapshotCid } = await command('snapshot', id);
  await command('resume', id);
  const { memoryBytes: grown } = await command('resize', id, 4 << 20);
  const { capsuleId: restored } = await command('spawn', snapshotCid);
  const row = (await inos.capsules()).find((capsule) => capsule.id === restored);
  await command('kill', restored);
  return { replies, snapshotCid, grown, restored, row };
}

/** The records of a job: its spans, the decision, and its entries in the ledger. */
export async function marks(jobId) {
  const [spans, why, history, report] = await Promise.all([
    inos.trace(jobId),
    inos.why(jobId),
    inos.ledger('history'),
    inos.ledger('verify'),
  ]);
  return { spans, why, entries: history.filter((entry) => entry.jobId === jobId), report };
}

/** Fills in the page's own form and sends it; returns the page's error text, if any. */
export async function byTheForm(requires) {
  const until = (found) =>
    new Promise((resolve) => {
      const look = () => found() && (observer.disconnect(), resolve(found()));
      const observer = new MutationObserver(look);
      observer.observe(document.body, { subtree: true, childList: true, characterData: true });
      look();
    });
  const form = document.querySelector('#job');
  form.elements.requires.value = requires;
  form.querySelector('button[type=submit]').click();
  const result = await until(() => document.querySelector('#result output, #result .failed'));
  if (result.matches('.failed')) return result.textContent;
  // One refresh of the tables, so that they have the job too.
  await until(() => document.querySelector('#jobs tbody tr:nth-child(4)'));
  return '';
}
