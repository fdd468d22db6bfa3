// The durable store in a real browser: a ledger on the origin private file system,
// in a Worker of headless Chromium that is killed at random while 50 goroutines
// settle: by terminate(), by closing the page, by crashing its renderer. After each
// kill a fresh Worker checks that everything acknowledged is there, once, and that
// the chain verifies. Prints each round; exits 1 at the first that fails.
//
//   node test/browser/store/run.mjs [ROUNDS]      (50)
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromiumPath } from '../lib/chromium.mjs';

const { chromium } = createRequire(new URL('../../../web/package.json', import.meta.url))('playwright-core');
const root = fileURLToPath(new URL('../../../', import.meta.url));
const rounds = Number(process.argv[2] ?? 50);
const seed = Number(process.env.SEED ?? Date.now() % 1e9);
const STEP_MS = 60_000;

// A small generator of its own, so that the seed printed repeats the run's choices.
let s = seed;
const random = (n) => {
  s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
  return Math.floor((s / 2 ** 32) * n);
};

const work = mkdtempSync(join(tmpdir(), 'inos-store-'));
const wasm = join(work, 'page.wasm');
const built = spawnSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', wasm, './test/browser/store/page'],
  { cwd: root, env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' }, stdio: 'inherit' });
if (built.status !== 0) process.exit(1);
const goroot = spawnSync('go', ['env', 'GOROOT'], { cwd: root }).stdout.toString().trim();

const worker = `
importScripts('/wasm_exec.js');
onmessage = async ({ data: [args, acked] }) => {
  globalThis.acked = acked;
  let rest = '';
  const decoder = new TextDecoder();
  globalThis.fs.writeSync = (fd, buf) => {
    rest += decoder.decode(buf, { stream: true });
    const lines = rest.split('\\n');
    rest = lines.pop();
    if (lines.length) postMessage(lines);
    return buf.length;
  };
  try {
    const go = new Go();
    go.argv = ['page', ...args];
    const { instance } = await WebAssembly.instantiateStreaming(fetch('/page.wasm'), go.importObject);
    await go.run(instance);
  } catch (e) { postMessage(['FAIL worker: ' + e, 'end']); }
};`;

const files = {
  '/': ['text/html', '<!doctype html><title>store</title>'],
  '/worker.js': ['text/javascript', worker],
  '/wasm_exec.js': ['text/javascript', readFileSync(join(goroot, 'lib/wasm/wasm_exec.js'))],
  '/page.wasm': ['application/wasm', readFileSync(wasm)],
};
const server = createServer((req, res) => {
  const file = files[req.url];
  res.writeHead(file ? 200 : 404, { 'content-type': file?.[0] ?? 'text/plain' });
  res.end(file?.[1]);
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const url = `http://127.0.0.1:${server.address().port}/`;

const context = await chromium.launchPersistentContext(join(work, 'profile'), {
  executablePath: chromiumPath(),
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// start runs the page program; onLines hears it. The page lives until it is closed.
async function start(args, onLines, acked = []) {
  const page = await context.newPage();
  await page.exposeFunction('heard', onLines);
  await page.goto(url);
  await page.evaluate((message) => {
    globalThis.worker = new Worker('/worker.js');
    globalThis.worker.onmessage = ({ data }) => globalThis.heard(data);
    globalThis.worker.postMessage(message);
  }, [args, acked.join(' ')]);
  return page;
}

// finish runs the page program to its end and returns its lines; FAIL throws.
async function finish(args, acked) {
  const lines = [];
  let done;
  const ended = new Promise((resolve, reject) => {
    done = resolve;
    setTimeout(() => reject(new Error(`${args[0]} took longer than ${STEP_MS / 1000} s: ${lines.slice(-5).join(' | ')}`)), STEP_MS).unref();
  });
  const page = await start(args, (heard) => {
    lines.push(...heard);
    if (heard.includes('end')) done();
  }, acked);
  await ended;
  await page.close();
  const failed = lines.filter((l) => l.startsWith('FAIL'));
  if (failed.length > 0) throw new Error(`${args[0]}: ${failed.join('\n')}`);
  return lines.filter((l) => l !== 'end');
}

const kills = {
  'the Worker terminated': async (page) => {
    await page.evaluate(() => globalThis.worker.terminate());
    await page.close();
  },
  'the page closed': (page) => page.close(),
  'the renderer crashed': async (page) => {
    const gone = new Promise((resolve) => page.once('crash', resolve));
    const session = await context.newCDPSession(page);
    session.send('Page.crash').catch(() => {}); // it never answers
    await gone;
    await page.close();
  },
};

let failure;
try {
  console.log(`seed ${seed}`);
  let now = Date.parse('2026-11-22T12:00:00Z');
  let total = 0;
  for (let round = 0; round < rounds; round++) {
    const [how, kill] = Object.entries(kills)[round % 3];
    const after = 1 + random(400);
    const acked = [];
    let reached;
    const enough = new Promise((resolve, reject) => {
      reached = resolve;
      setTimeout(() => reject(new Error(`only ${acked.length} of ${after} settlements came`)), STEP_MS).unref();
    });
    let bad;
    const page = await start(['settle', `${now}000000`], (heard) => {
      for (const l of heard) {
        if (l.startsWith('ack ')) acked.push(l.slice(4));
        else bad ??= l;
      }
      if (acked.length >= after || bad) reached();
    });
    await enough;
    if (bad) throw new Error(`round ${round}: ${bad}`);
    await kill(page);
    const [line] = await finish(['check', `${now}000000`], acked);
    total += acked.length;
    console.log(`${round + 1}/${rounds} ${how} after ${acked.length} settlements: ${line}`);
    now += 180_000;
  }
  console.log(`${total} acknowledged settlements over ${rounds} kills, all there`);

  let open;
  const opened = new Promise((resolve) => { open = resolve; });
  const holder = await start(['settle', `${now}000000`], () => open());
  await opened;
  console.log(`a second tab: ${(await finish(['locked', `${now}000000`])).join(' ')}`);
  await holder.close();
  now += 180_000;
  for (const line of await finish(['bench', `${now}000000`, '5000'])) console.log(line);
} catch (error) {
  failure = error;
  console.error(`FAIL ${error.stack ?? error}`);
}
await context.close();
server.close();
rmSync(work, { recursive: true, force: true });
process.exit(failure ? 1 : 0);
