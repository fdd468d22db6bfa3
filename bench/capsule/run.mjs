// Benchmarks capsules in headless Chromium beside their peers, and natively, and
// prints one table. --write puts it into docs/benchmarks.md.
//
//   node bench/capsule/run.mjs [--browser chromium|firefox] [--write] [-- flags of the Go program]
//   node bench/capsule/run.mjs -- -only=command   # command, paced, events, payload, spawn or job: figures, no table
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { browsers } from '../../test/browser/lib/browsers.mjs';
import { serve } from '../../test/browser/capsule/server.mjs';
import { table } from './table.mjs';

const root = new URL('../../', import.meta.url);
const cut = process.argv.indexOf('--');
const flags = cut < 0 ? [] : process.argv.slice(cut + 1);
const { values } = parseArgs({
  args: process.argv.slice(2, cut < 0 ? undefined : cut),
  options: {
    browser: { type: 'string', default: 'chromium' },
    seconds: { type: 'string', default: '240' },
    write: { type: 'boolean', default: false },
  },
});

const flood = new URL('build/capsules/flood.wasm', root);
if (!existsSync(flood)) throw new Error('flood.wasm is missing: run scripts/build-capsules.sh');
const part = flags.some((f) => f.startsWith('-only'));
const figures = [];
const heard = (line) => {
  if (line.startsWith('RESULT ')) figures.push(JSON.parse(line.slice(7)));
  else console.error(line);
};

const scratch = mkdtempSync(join(tmpdir(), 'inos-bench-'));
let agent = '';
try {
  const go = (args, env) =>
    execFileSync('go', args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    }).toString();
  const wasm = join(scratch, 'bench.wasm');
  go(['build', '-o', wasm, './bench/capsule/browser'], { GOOS: 'js', GOARCH: 'wasm' });
  let reported = () => {};
  const server = await serve(
    {
      '/src/': new URL('web/src/', root),
      '/capsules/': new URL('build/capsules/', root),
      '/kernel.ts': new URL('test/browser/capsule/kernel.ts', root),
      '/peers.ts': new URL('peers.ts', import.meta.url),
      '/peer-worker.ts': new URL('peer-worker.ts', import.meta.url),
      '/comlink.mjs': new URL('web/node_modules/comlink/dist/esm/comlink.mjs', root),
      '/wasm_exec.js': pathToFileURL(join(go(['env', 'GOROOT']).trim(), 'lib/wasm/wasm_exec.js')),
      '/bench.wasm': pathToFileURL(wasm),
    },
    (r) => reported(r),
  );
  const browser = await browsers[values.browser]();
  let timer;
  try {
    await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${values.seconds} s`)), values.seconds * 1000);
      reported = (r) => {
        for (const line of r.lines) {
          if (line.startsWith('Mozilla/')) agent = line.match(/(Chrome|Firefox)\/[\d.]+/)?.[0] ?? line;
          else heard(line);
        }
        if (r.exit !== undefined) r.exit === 0 ? resolve() : reject(new Error(`the benchmark exits ${r.exit}`));
      };
      const query = [
        ['program', '/bench.wasm'],
        ['capsule', 'flood'],
        ['peers', '/peers.ts'],
        ...flags.map((a) => ['arg', a]),
      ];
      browser.open(`${server.url}?${new URLSearchParams(query)}`).catch(reject);
    });
  } finally {
    clearTimeout(timer);
    await browser.close();
    await server.close();
  }
  if (!part) go(['run', './bench/capsule/native', flood.pathname], {}).split('\n').filter(Boolean).forEach(heard);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

if (part) {
  console.table(figures);
  process.exit(0);
}
const where = `${agent.replace('/', ' ')}, ${cpus().length} cores (${cpus()[0].model.trim()})`;
const lines = table(figures);
console.log(`Capsules: ${where}\n\n${lines.join('\n')}`);

if (values.write) {
  const file = new URL('docs/benchmarks.md', root);
  const begin = '<!-- bench-capsule: begin -->',
    end = '<!-- bench-capsule: end -->';
  const section = `${begin}\nOne run of \`make bench-capsule\` on ${where}; every row beside its peers in the same run.\n\n${lines.join('\n')}\n${end}`;
  let text = existsSync(file) ? readFileSync(file, 'utf8') : '# Benchmarks\n';
  const at = text.indexOf(begin);
  if (at >= 0) text = text.slice(0, at) + section + text.slice(text.indexOf(end) + end.length);
  else text = `${text.trimEnd()}\n\n## Capsules\n\n${section}\n`;
  writeFileSync(file, text);
}
