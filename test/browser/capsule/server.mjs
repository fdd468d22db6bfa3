// Serves the test page cross-origin isolated on an ephemeral loopback port and
// takes its reports. TypeScript is stripped on the way: no bundle, no build step.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../web/package.json', import.meta.url));
const ts = require('typescript');

// The page starts the kernel's Worker with its own query and posts what it says.
const page = `<!doctype html><meta charset="utf-8"><title>capsules</title>
<script type="module">
let lines = [navigator.userAgent], exit;
const w = new Worker('/kernel.ts' + location.search, { type: 'module' });
w.onmessage = (e) => { if ('line' in e.data) lines.push(e.data.line); if ('exit' in e.data) exit = e.data.exit; };
// After its exit, a timer Go had set may still fire and complain.
w.onerror = (e) => { if (exit !== undefined) return; lines.push('FAIL: kernel worker: ' + e.message); exit = 2; };
for (let over = false; !over; ) {
  await new Promise((r) => setTimeout(r, 100));
  over = exit !== undefined;
  let held = [];
  // A Worker that was terminated while it waited for a capsule lets go of its lock soon.
  for (let looks = 0; over && looks < 100; looks++) {
    held = (await navigator.locks.query()).held.map((l) => l.name).filter((name) => name.startsWith('inos-capsule/'));
    if (held.length === 0) break;
    await new Promise((later) => setTimeout(later, 100));
  }
  const report = { lines: lines.splice(0), exit, held };
  await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
}
</script>`;

/**
 * files maps a URL path to a file's URL, or a prefix that ends in / to a
 * folder's. onReport is called with {lines, exit, held} of each report. answers
 * maps a path to a function of a POST's query and body that returns the answer.
 */
export async function serve(files, onReport, answers = {}) {
  const server = createServer(async (req, res) => {
    const path = new URL(req.url, 'http://x').pathname;
    const headers = {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    };
    try {
      if (path === '/') return void res.writeHead(200, { ...headers, 'Content-Type': 'text/html' }).end(page);
      if (path === '/report' && req.method === 'POST') {
        let body = '';
        for await (const chunk of req) body += chunk;
        onReport(JSON.parse(body));
        return void res.writeHead(204, headers).end();
      }
      if (answers[path] && req.method === 'POST') {
        const body = [];
        for await (const chunk of req) body.push(chunk);
        const answer = await answers[path](new URL(req.url, 'http://x').searchParams, Buffer.concat(body)).catch(
          (err) => err,
        );
        return void res
          .writeHead(answer instanceof Error ? 500 : 200, headers)
          .end(answer instanceof Error ? String(answer) : answer);
      }
      const file = locate(files, path);
      let body = await readFile(file);
      let type = 'text/javascript';
      if (file.pathname.endsWith('.wasm')) type = 'application/wasm';
      else if (file.pathname.endsWith('.ts')) body = script(body.toString());
      res.writeHead(200, { ...headers, 'Content-Type': type }).end(body);
    } catch (err) {
      res.writeHead(404, headers).end(String(err));
    }
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((r) => {
        server.close(r);
        server.closeAllConnections();
      }),
  };
}

const scripts = new Map();

/** Turns a TypeScript source into JavaScript, once: the start of a Worker is measured. */
function script(source) {
  if (!scripts.has(source)) {
    const compilerOptions = { target: 'ES2023', module: 'ESNext', verbatimModuleSyntax: true };
    scripts.set(source, ts.transpileModule(source, { compilerOptions }).outputText);
  }
  return scripts.get(source);
}

function locate(files, path) {
  if (files[path]) return files[path];
  for (const [prefix, folder] of Object.entries(files)) {
    if (!prefix.endsWith('/') || !path.startsWith(prefix)) continue;
    const rest = path.slice(prefix.length);
    if (rest.includes('..')) break;
    // The shell's own imports leave the .ts off.
    return new URL(/\.\w+$/.test(rest) ? rest : `${rest}.ts`, folder);
  }
  throw new Error(`no such file: ${path}`);
}
