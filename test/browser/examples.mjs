// The examples that need a browser, as they stand in examples/: the page of one's own is
// built, packed and served by a native node, and a job goes through its form to that node;
// the stream is run in that page's console.
//
//   node test/browser/examples.mjs      (needs `make dist native`)
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPage, launchChromium, openPage } from './lib/chromium.mjs';
import { root, startNode, stopAll } from './lib/nodes.mjs';
import { found } from './demo/page.mjs';

const WAIT_MS = 60_000;
const HASH = 'sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';

function check(ok, what) {
  if (!ok) throw new Error(`not so: ${what}`);
  console.log(`ok: ${what}`);
}

/** Builds and packs the page as examples/README.md says; returns the folder to serve. */
function built(folder) {
  const [web, dist] = [join(folder, 'page'), join(folder, 'dist')];
  const run = (program, args, cwd, env = {}) =>
    execFileSync(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
  run('node_modules/.bin/vite', ['build', '../examples/page', '--config', 'vite.config.ts'], join(root, 'web'), {
    INOS_WEB_OUT: web,
  });
  run(process.execPath, ['scripts/pack.mjs', '--web', web, '--out', dist], root);
  return dist;
}

let browser;
let page;
let server;
let failure;
const folder = await mkdtemp(join(tmpdir(), 'inos-examples-'));
try {
  const dist = built(folder);
  server = await startNode('server', ['serve', '--dist', dist, '--name', 'server', '--capabilities', 'storage']);
  browser = await launchChromium();
  page = await openPage(browser);
  await page.goto(server.ready.http);
  await inPage(page, async () => void (await inos.joined), null, WAIT_MS);
  await inPage(page, found, { capability: 'storage', peers: [server.ready.peerId] }, WAIT_MS);

  await page.click('button', { timeout: WAIT_MS });
  await page.waitForFunction(() => document.querySelector('output').textContent !== '', null, { timeout: WAIT_MS });
  const said = await page.textContent('output');
  check(said === `${HASH} by ${server.ready.peerId}`, `examples/page: ${said}`);

  const stream = await readFile(join(root, 'examples/stream.mjs'), 'utf8');
  const text = await inPage(page, `async () => { ${stream}\nreturn total.text; }`, null, WAIT_MS);
  check(/^words 6000$/m.test(text), `examples/stream.mjs: ${text.trim().replaceAll('\n', ', ')}`);
} catch (error) {
  failure = error;
  console.error(`FAIL ${error.stack ?? error}`);
  for (const line of [...(page?.log ?? []), ...(server?.log ?? [])].slice(-60)) console.error(`  ${line}`);
}
await browser?.close();
await stopAll();
await rm(folder, { recursive: true, force: true });
process.exit(failure ? 1 : 0);
