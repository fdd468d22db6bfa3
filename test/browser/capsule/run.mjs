// Runs the Go tests of internal/capsule/sab in real browsers, and of cmd/internal/node those
// that need capsules in Workers.
//
//   node test/browser/capsule/run.mjs [--browser chromium|firefox]... [--of capsule|nodes]... [--wasm FILE] [-- go test flags]
//   node test/browser/capsule/run.mjs --of capsule --seconds 900 -- -test.timeout=900s -test.run=TestStress -stress=10000000
//
// Without --wasm it builds the test program itself; the capsules must be in
// build/capsules (make capsules). Prints "N passed, M failed" and exits
// non-zero when anything failed or nothing ran.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { browsers } from '../lib/browsers.mjs';
import { serve } from './server.mjs';

const root = new URL('../../../', import.meta.url);
const needed = ['hash', 'fault', 'flood', 'image', 'state', 'wordcount'];
const cut = process.argv.indexOf('--');
const testFlags = cut < 0 ? [] : process.argv.slice(cut + 1);
const { values } = parseArgs({
  args: process.argv.slice(2, cut < 0 ? undefined : cut),
  options: {
    browser: { type: 'string', multiple: true },
    of: { type: 'string', multiple: true, default: ['capsule', 'nodes'] },
    wasm: { type: 'string' },
    capsules: { type: 'string', default: 'build/capsules' },
    seconds: { type: 'string', default: '500' }, // for all tests in one browser
  },
});

let passed = 0;
let failed = 0;
let onReport = () => {};
const scratch = mkdtempSync(join(tmpdir(), 'inos-capsule-'));
try {
  const program = (name, from) => {
    const wasm = join(scratch, name);
    execFileSync('go', ['test', '-c', '-tags', 'browser', '-o', wasm, from], {
      cwd: root,
      env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
      stdio: 'inherit',
    });
    return wasm;
  };
  const wasm = values.wasm ?? program('capsule.test.wasm', './internal/capsule/sab');
  const nodes = program('nodes.test.wasm', './cmd/internal/node');
  const goroot = execFileSync('go', ['env', 'GOROOT']).toString().trim();
  const capsules = new URL(`${values.capsules}/`, root);
  for (const name of needed) {
    if (!existsSync(new URL(`${name}.wasm`, capsules))) throw new Error(`${name}.wasm is missing: run make capsules`);
  }
  needed.push(...readdirSync(new URL('hostile/', capsules)).map((f) => `hostile/${f.replace('.wasm', '')}`));
  const server = await serve(
    {
      '/src/': new URL('web/src/', root),
      '/capsules/': capsules,
      '/kernel.ts': new URL('kernel.ts', import.meta.url),
      '/wasm_exec.js': pathToFileURL(join(goroot, 'lib/wasm/wasm_exec.js')),
      '/capsule.test.wasm': pathToFileURL(wasm),
      '/nodes.test.wasm': pathToFileURL(nodes),
    },
    (report) => onReport(report),
    { '/native': native },
  );
  try {
    for (const name of values.browser ?? Object.keys(browsers)) {
      if (values.of.includes('capsule')) await inBrowser(name, server.url, '/capsule.test.wasm', []);
      if (values.of.includes('nodes'))
        await inBrowser(name, server.url, '/nodes.test.wasm', ['-test.run=TestNoCustomerMeetsAnother|TestJobsThat']);
    }
  } finally {
    await server.close();
  }
} catch (err) {
  console.error(err);
  failed++;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

/** The native node that a capsule of the migration test moves to and back from. */
function native(query, body) {
  const exe = join(scratch, 'native');
  if (!existsSync(exe)) execFileSync('go', ['build', '-o', exe, './test/browser/capsule/native'], { cwd: root });
  const cut = Number(query.get('blob'));
  const image = join(scratch, 'image');
  writeFileSync(image, body.subarray(0, cut));
  return new Promise((resolve, reject) => {
    const wasm = new URL(`${values.capsules}/wordcount.wasm`, root).pathname;
    const child = execFile(exe, [image, wasm], { encoding: 'buffer', maxBuffer: 1 << 28 }, (err, out) =>
      err ? reject(err) : resolve(out),
    );
    child.stdin.end(body.subarray(cut));
  });
}

async function inBrowser(name, url, program, only) {
  console.log(`# ${name}: ${program}`);
  const last = new Promise((resolve) => {
    onReport = (report) => {
      report.lines.forEach(count);
      if (report.exit !== undefined) resolve(report);
    };
  });
  const browser = await browsers[name]();
  let timer;
  try {
    const flags = ['-test.v', '-test.timeout=450s', ...only, ...testFlags];
    const query = [['program', program], ...needed.map((n) => ['capsule', n]), ...flags.map((a) => ['arg', a])];
    await browser.open(`${url}?${new URLSearchParams(query)}`);
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${name}: no end after ${values.seconds} s`)), values.seconds * 1000);
    });
    const { exit, held } = await Promise.race([last, late]);
    result(exit === 0, `${name}: the test program exits 0`);
    // Only a Worker that lives on holds its lock.
    const leaked = held.filter((l) => l.startsWith('inos-capsule/'));
    result(leaked.length === 0, `${name}: no capsule Worker is left (${leaked.length})`);
  } finally {
    clearTimeout(timer);
    await browser.close();
  }
}

function result(ok, what) {
  console.log(`${ok ? 'PASS' : 'FAIL'} ${what}`);
  if (ok) passed++;
  else failed++;
}

function count(line) {
  console.log(line);
  if (/^\s*--- PASS/.test(line)) passed++;
  if (/^\s*--- FAIL/.test(line) || /^FAIL: /.test(line)) failed++;
}
