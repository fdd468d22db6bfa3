// One job, all the way: three native nodes, a browser kernel that joins them, a
// capsule in a Worker, a capsule on the best node, and two jobs that nobody pays for.
//
//   node test/browser/demo.mjs            the transcript; exits non-zero at the first step that failed
//   node test/browser/demo.mjs --firefox  the same in Firefox
//   node test/browser/demo.mjs --serve    starts the nodes, prints the URL and waits for Ctrl-C
//
// `make demo` and `make run` build first.
import { parseArgs } from 'node:util';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { launchFirefox } from './lib/firefox.mjs';
import { startMesh, MESH } from './lib/mesh.mjs';
import { stopAll } from './lib/nodes.mjs';
import { bold, dim, duration, green, red, table } from './lib/transcript.mjs';
import { runSteps } from './demo/steps.mjs';

const { values: options } = parseArgs({
  options: { serve: { type: 'boolean' }, firefox: { type: 'boolean' }, http: { type: 'string' } },
});

const LOG_LINES = 60;
let mesh = null;
let browser = null;
let page = null;

async function demo() {
  const began = performance.now();
  mesh = await startMesh();
  browser = options.firefox ? await launchFirefox() : await launchChromium();
  page = options.firefox ? browser.page : await openPage(browser);
  const figures = await runSteps({ mesh, browser, page });
  console.log(`\n${green(bold('The job went all the way'))} ${dim(`in ${duration(performance.now() - began)}`)}\n`);
  table(['figure', 'value'], figures);
}

async function serve() {
  mesh = await startMesh({ http: options.http ?? '127.0.0.1:8080' }).catch((error) => {
    // Somebody has that port already: any other will do, unless one was asked for.
    if (options.http || !/address already in use/.test(error.message)) throw error;
    return startMesh();
  });
  table(
    ['node', 'capabilities', 'cost', 'latency', 'peer'],
    mesh.nodes.map((node, i) => [
      node.name,
      MESH[i].capabilities,
      `${MESH[i].cost} µc/s`,
      `${MESH[i].latencyMs} ms`,
      node.ready.peerId,
    ]),
  );
  console.log(
    `\n   To join them with a node of your own, or send them a job: --bootstrap ${bold(mesh.nodes[0].ready.addrs[0])}`,
  );
  console.log(
    `\n   ${bold(mesh.url)}   open it in Chromium or Firefox, then try inos.help() in its console; Ctrl-C ends it all\n`,
  );
  const gone = mesh.nodes.map((node) =>
    node.gone.then((how) => {
      throw new Error(`node ${node.name} ${how}`);
    }),
  );
  await Promise.race([signalled, ...gone]);
}

function printLogs(error) {
  console.error(
    `\n${red(bold(error.step ? `Failed at step ${error.step}` : 'Failed'))}\n   ${error.code ? `${error.code}: ` : ''}${error.message}`,
  );
  if (!error.step) console.error(dim(error.stack ?? ''));
  const logs = [
    ['page and its Workers', page?.log ?? []],
    ...(mesh?.nodes ?? []).map((node) => [`node ${node.name}`, node.log]),
  ];
  for (const [name, lines] of logs) {
    if (lines.length === 0) continue;
    console.error(`\n${bold(`--- log: ${name}`)} ${dim(`(last ${Math.min(lines.length, LOG_LINES)} lines)`)}`);
    console.error(lines.slice(-LOG_LINES).join('\n'));
  }
}

const signalled = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve(signal));
});

let code = 0;
try {
  if (options.serve) await serve();
  else await Promise.race([demo(), signalled.then((signal) => Promise.reject(new Error(`ended by ${signal}`)))]);
} catch (error) {
  printLogs(error);
  code = 1;
} finally {
  await browser?.close().catch(() => {});
  await stopAll();
}
process.exit(code);
