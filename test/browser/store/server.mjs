// The pages of both browsers: the page program, and a Worker that runs it and posts its lines.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

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

// A page of its own for each run, so that removing it ends its Worker as closing a tab does.
const frame = `<!doctype html><script>
  const { id, args, acked } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  // One request at a time, so that the lines arrive in order.
  let said = [], sending = false;
  const send = async () => {
    if (sending || said.length === 0) return;
    sending = true;
    const lines = said;
    said = [];
    await fetch('/heard/' + id, { method: 'POST', body: lines.join('\\n') });
    sending = false;
    send();
  };
  globalThis.worker = new Worker('/worker.js');
  worker.onmessage = ({ data }) => { said.push(...data); send(); };
  worker.postMessage([args, acked]);
</script>`;

/** Builds the page program into `work` and serves it; hear(id, lines) gets what frames post. */
export async function serve(work, hear) {
  const wasm = join(work, 'page.wasm');
  const built = spawnSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', wasm, './test/browser/store/page'], {
    cwd: root,
    env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
    stdio: 'inherit',
  });
  if (built.status !== 0) throw new Error('the page program does not build');
  const goroot = spawnSync('go', ['env', 'GOROOT'], { cwd: root }).stdout.toString().trim();
  const files = {
    '/': ['text/html', '<!doctype html><title>store</title>'],
    '/frame': ['text/html', frame],
    '/worker.js': ['text/javascript', worker],
    '/wasm_exec.js': ['text/javascript', readFileSync(join(goroot, 'lib/wasm/wasm_exec.js'))],
    '/page.wasm': ['application/wasm', readFileSync(wasm)],
  };
  const server = createServer(async (req, res) => {
    if (req.method === 'POST' && req.url.startsWith('/heard/')) {
      let body = '';
      for await (const chunk of req) body += chunk;
      hear(Number(req.url.slice('/heard/'.length)), body.split('\n'));
      res.writeHead(204).end();
      return;
    }
    const file = files[req.url];
    res.writeHead(file ? 200 : 404, { 'content-type': file?.[0] ?? 'text/plain' });
    res.end(file?.[1]);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
