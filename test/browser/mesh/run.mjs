// Runs the mesh in real browsers: builds the far side (peer) and the browser's
// side (page), serves the page on loopback, and lets headless Chromium and
// Firefox run it in a Worker against freshly started peers; then, in both, whole
// kernels: see console.mjs, which needs `make dist native`. Prints every test and
// "N passed, N failed"; exits 1 when one failed, when a browser is missing or
// when a run ends without its own count.
//
//   node test/browser/mesh/run.mjs [chromium] [firefox] [console] [--mebibytes N]
//
// Without names it is all three. N is the length of the console's long streams.
//
// Its modules come from web/node_modules; the browsers from $CHROMIUM and $FIREFOX.
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createInterface } from 'node:readline';
import { browsers } from '../lib/browsers.mjs';
import { consoleTests } from './console.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
const load = createRequire(join(root, 'web/package.json'));
const limit = 400_000;

const work = mkdtempSync(join(tmpdir(), 'inos-mesh-'));
const peerBin = join(work, 'peer');
const pageWasm = join(work, 'page.wasm');

function build(out, pkg, env) {
  const r = spawnSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', out, pkg], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (r.status !== 0) throw new Error(`go build ${pkg} failed`);
}

// startPeer resolves to the peer's address once it prints it.
function startPeer(...args) {
  const p = spawn(peerBin, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    p.once('exit', (code) => reject(new Error(`peer ${args.join(' ')} ended: ${code}`)));
    createInterface({ input: p.stdout }).once('line', (addr) => resolve({ addr, p }));
  });
}

function stopPeer({ p }) {
  return new Promise((resolve) => {
    if (p.exitCode !== null || p.signalCode !== null) return resolve();
    p.once('exit', resolve);
    p.stdin.end();
  });
}

let onReport = () => {};
let reported = 0; // the number of the last post that was taken

// Starts the Worker with what the hash says and posts what it reports, in order. A post
// that fails or is not answered goes out again, under its number: one lost on a connection
// that the server was just closing would otherwise end the report.
const page = `<!doctype html><meta charset="utf-8"><title>mesh</title>
<script type="module">
let waiting = [], posting = Promise.resolve(), number = 0;
const post = async (reports) => {
  for (number++; ; await new Promise((again) => setTimeout(again, 200))) {
    const sent = fetch('/report', { method: 'POST', body: JSON.stringify({ number, reports }), signal: AbortSignal.timeout(10_000) });
    if (await sent.then((r) => r.ok, () => false)) return;
  }
};
const report = (m) => {
  waiting.push(m);
  posting = posting.then(() => waiting.length && post(waiting.splice(0)));
};
const w = new Worker('/worker.js', { type: 'module' });
w.onmessage = ({ data }) => report(data);
w.onerror = (e) => { report({ line: 'FAIL worker: ' + e.message }); report({ end: true }); };
w.postMessage(JSON.parse(decodeURIComponent(location.hash.slice(1))));
</script>`;

const worker = `
import '/wasm_exec.js';
import { streamHost } from '/streams.js';
onmessage = async ({ data }) => {
  const say = (line) => postMessage({ line });
  let rest = '';
  const complain = console.error;
  console.error = (...words) => {
    if (/released function/.test(words.join(' '))) say('FAIL worker: ' + words.join(' '));
    complain(...words);
  };
  const decoder = new TextDecoder();
  globalThis.fs.writeSync = (fd, buf) => {
    rest += decoder.decode(buf, { stream: true });
    const lines = rest.split('\\n');
    rest = lines.pop();
    for (const l of lines) say(l);
    return buf.length;
  };
  self.addEventListener('unhandledrejection', (e) => say('FAIL unhandled rejection: ' + e.reason));
  try {
    const go = new Go();
    go.argv = ['page', ...data];
    const t0 = performance.now();
    const streams = streamHost();
    globalThis.__inosStreams = streams.control;
    const { instance } = await WebAssembly.instantiateStreaming(fetch('/page.wasm'), { ...go.importObject, inos: streams.imports });
    streams.attach({ mem: () => instance.exports.mem, exports: () => instance.exports, exited: () => go.exited });
    say('     instantiated in ' + Math.round(performance.now() - t0) + ' ms');
    await go.run(instance);
    if (streams.control.count() > 0) say('FAIL worker: ' + streams.control.count() + ' streams are left');
  } catch (e) { say('FAIL worker: ' + e); }
  postMessage({ end: true });
};`;

// The kernel's own glue, its types stripped.
function transpiled(path) {
  const ts = load('typescript');
  return ts.transpileModule(readFileSync(join(root, path), 'utf8'), {
    compilerOptions: { target: 'ES2023', module: 'ESNext', verbatimModuleSyntax: true },
  }).outputText;
}

function serve() {
  const wasmExec = readFileSync(
    join(spawnSync('go', ['env', 'GOROOT']).stdout.toString().trim(), 'lib/wasm/wasm_exec.js'),
  );
  const files = {
    '/': ['text/html', page],
    '/worker.js': ['text/javascript', worker],
    '/wasm_exec.js': ['text/javascript', wasmExec],
    '/streams.js': ['text/javascript', transpiled('web/src/mesh/streams.ts')],
    '/page.wasm': ['application/wasm', readFileSync(pageWasm)],
  };
  const server = createServer(async (req, res) => {
    if (req.url === '/report') {
      let body = '';
      for await (const chunk of req) body += chunk;
      const { number, reports } = JSON.parse(body);
      if (number > reported) {
        reported = number;
        reports.forEach(onReport);
      }
      return void res.writeHead(204).end();
    }
    const f = files[req.url];
    if (!f) return void res.writeHead(404).end();
    res
      .writeHead(200, {
        'content-type': f[0],
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      })
      .end(f[1]);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

// runIn returns the counts that the page printed, with failures seen outside it.
async function runIn(name, url) {
  const peers = [];
  const up = async (...args) => {
    const p = await startPeer(...args);
    peers.push(p);
    return p.addr;
  };
  let browser;
  const counts = { passed: 0, failed: 0 };
  reported = 0;
  try {
    const plain = await up('-plain');
    const node = await up('-cap', 'gpu');
    const far = await up('-cap', 'far', '-via', node, '-late', '50ms');
    const victim = await up('-cap', 'victim');
    const plainVictim = await up('-plain');
    browser = await browsers[name]();
    console.log(`== ${name} ${browser.version}`);
    let finish;
    const finished = new Promise((resolve) => {
      finish = resolve;
    });
    let said = false;
    onReport = (m) => {
      if (m.end) return finish();
      console.log(m.line);
      const done = /^done (\d+) passed, (\d+) failed$/.exec(m.line);
      if (done) {
        said = true;
        counts.passed += +done[1];
        counts.failed += +done[2];
        finish();
      }
      if (/^FAIL (unhandled|worker)/.test(m.line)) counts.failed++;
    };
    await browser.open(`${url}#${encodeURIComponent(JSON.stringify([plain, node, far, victim, plainVictim]))}`);
    const timer = setTimeout(() => {
      counts.failed++;
      console.log([`FAIL ${name}: no end after ${limit / 1000} s`, ...browser.log()].join('\n'));
      finish();
    }, limit);
    await finished;
    clearTimeout(timer);
    if (!said && !counts.failed) counts.failed++;
  } catch (e) {
    console.log(`FAIL ${name}: ${e.stack ?? e}`);
    counts.failed++;
  } finally {
    await browser?.close().catch(() => {});
    for (const p of peers) await stopPeer(p);
  }
  return counts;
}

const { values, positionals } = parseArgs({
  options: { mebibytes: { type: 'string', default: '256' } },
  allowPositionals: true,
});
const names = positionals.length ? positionals : [...Object.keys(browsers), 'console'];
const total = { passed: 0, failed: 0 };
try {
  const own = names.filter((name) => name !== 'console');
  if (own.length) {
    build(peerBin, './test/browser/mesh/peer');
    build(pageWasm, './test/browser/mesh/page', { GOOS: 'js', GOARCH: 'wasm' });
    const server = await serve();
    const url = `http://127.0.0.1:${server.address().port}/`;
    for (const name of own) {
      if (!browsers[name]) throw new Error(`no browser ${name}: chromium, firefox`);
      const c = await runIn(name, url);
      total.passed += c.passed;
      total.failed += c.failed;
    }
    server.close();
  }
  if (names.includes('console')) {
    const both = Object.keys(browsers);
    for (const name of own.length ? own : both) {
      console.log(`== console, ${name}`);
      // Firefox takes a quarter of the stream: it is the verbs that are tried there.
      const c = await consoleTests(name, Number(values.mebibytes) / (name === 'firefox' ? 4 : 1));
      total.passed += c.passed;
      total.failed += c.failed;
    }
  }
} catch (e) {
  console.log(`FAIL ${e.message}`);
  total.failed++;
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed ? 1 : 0);
