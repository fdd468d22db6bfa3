// The durable store in real browsers: a ledger on the origin private file system, in a
// Worker that is killed at random while 50 goroutines settle: by terminate(), by closing
// the page, by crashing Chromium's renderer, by SIGKILL to Firefox. After each kill a
// fresh Worker checks that everything acknowledged is there, once, and that the chain
// verifies. Prints each round; exits 1 at the first that fails.
//
//   node test/browser/store/run.mjs [ROUNDS] [chromium] [firefox] [million]      (50, both)
//
// With 0 rounds nothing is killed: what is left is how many settlements a second there are.
//
// `million` settles half a million times and says how long a restart on that takes.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browsers } from './browsers.mjs';
import { serve } from './server.mjs';

const words = process.argv.slice(2);
const rounds = Number(words.find((w) => /^\d+$/.test(w)) ?? 50);
const million = words.includes('million');
const names = words.filter((w) => !/^\d+$/.test(w) && w !== 'million');
const seed = Number(process.env.SEED ?? Date.now() % 1e9);
const STEP_MS = 60_000;

// A small generator of its own, so that the seed printed repeats the run's choices.
let s = seed;
const random = (n) => {
  s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
  return Math.floor((s / 2 ** 32) * n);
};

const work = mkdtempSync(join(tmpdir(), 'inos-store-'));
const listeners = new Map();
const server = await serve(work, (id, lines) => listeners.get(id)?.(lines));

/** Runs the page program to its end and returns its lines; FAIL throws. */
async function finish(browser, args, acked, ms = STEP_MS) {
  const lines = [];
  let done;
  const ended = new Promise((resolve, reject) => {
    done = resolve;
    setTimeout(
      () => reject(new Error(`${args[0]} took longer than ${ms / 1000} s: ${lines.slice(-5).join(' | ')}`)),
      ms,
    ).unref();
  });
  const page = await browser.start(
    args,
    (heard) => {
      lines.push(...heard);
      if (heard.includes('end')) done();
    },
    acked,
  );
  await ended;
  await browser.end(page);
  const failed = lines.filter((l) => l.startsWith('FAIL'));
  if (failed.length > 0) throw new Error(`${args[0]}: ${failed.join('\n')}`);
  return lines.filter((l) => l !== 'end');
}

/** Lets the page program settle until it has said some acknowledgements, and returns them with its page. */
async function settle(browser, now, after, round) {
  const acked = [];
  let bad;
  let reached;
  const enough = new Promise((resolve, reject) => {
    reached = resolve;
    setTimeout(() => reject(new Error(`only ${acked.length} of ${after} settlements came`)), STEP_MS).unref();
  });
  const page = await browser.start(['settle', `${now}000000`], (heard) => {
    for (const l of heard) {
      if (l.startsWith('ack ')) acked.push(l.slice(4));
      else bad ??= l;
    }
    if (acked.length >= after || bad) reached();
  });
  await enough;
  if (bad) throw new Error(`round ${round}: ${bad}`);
  return { page, acked };
}

async function test(browser) {
  let now = Date.parse('2026-11-22T12:00:00Z');
  let total = 0;
  let gone = 0;
  const kills = Object.entries(browser.kills);
  for (let round = 0; round < rounds; round++) {
    const [how, kill] = kills[round % kills.length];
    const { page, acked } = await settle(browser, now, 1 + random(400), round);
    await kill(page);
    const [line] = await finish(browser, ['check', `${now}000000`], acked);
    total += acked.length;
    gone = Number(/(\d+) let go/.exec(line)[1]);
    console.log(`${round + 1}/${rounds} ${how} after ${acked.length} settlements: ${line}`);
    now += 180_000;
  }
  console.log(`${total} acknowledged settlements over ${rounds} kills, all there`);
  if (rounds >= 10 && gone === 0) throw new Error('no entries were let go');

  const { page } = await settle(browser, now, 1, rounds);
  console.log(`a second tab: ${(await finish(browser, ['locked', `${now}000000`])).join(' ')}`);
  await browser.end(page);
  now += 180_000;
  for (const line of await finish(browser, ['bench', `${now}000000`, '5000'])) console.log(line);
  if (!million) return;
  for (const line of await finish(browser, ['bench', `${now}000000`, '167000'], [], 10 * STEP_MS)) console.log(line);
  for (const line of await finish(browser, ['open', `${now}000000`])) console.log(line);
}

let failure;
console.log(`seed ${seed}`);
for (const name of names.length > 0 ? names : Object.keys(browsers)) {
  let browser;
  try {
    if (!browsers[name]) throw new Error(`no browser ${name}: ${Object.keys(browsers).join(', ')}`);
    mkdirSync(join(work, name));
    browser = await browsers[name](work, server.url, listeners);
    console.log(`== ${browser.name}`);
    await test(browser);
  } catch (error) {
    failure = error;
    console.error(`FAIL ${name}: ${error.stack ?? error}`);
  }
  await browser?.close();
}
server.close();
rmSync(work, { recursive: true, force: true, maxRetries: 10 });
process.exit(failure ? 1 : 0);
