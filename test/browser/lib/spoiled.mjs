// Serves the packed shell cross-origin isolated, with some answers spoiled on purpose: the failures
// that a test wants to see.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { root } from './nodes.mjs';

const TYPES = {
  html: 'text/html',
  js: 'text/javascript',
  css: 'text/css',
  wasm: 'application/wasm',
  json: 'application/json',
};

/**
 * `spoil` maps a path to {status, type, body, cut, stall} or a function of the honest
 * answer that returns such; `isolated: false` leaves the isolation headers out, `csp` is a Content-Security-Policy. With `cut` the
 * connection breaks halfway; with `stall` nothing comes: 'all', or 'rest' of a body that has begun.
 */
export async function serveSpoiled({ spoil = {}, isolated = true, boot = {}, csp } = {}) {
  const build = JSON.parse(await readFile(`${root}dist/build.json`, 'utf8'));
  const config = {
    kernel: build.kernel.path,
    bootstrap: [],
    capsules: build.capsules.map(({ name, path, cid, bytes }) => ({ name, url: path, cid, bytes })),
    ...boot,
  };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://shell').pathname.slice(1) || 'index.html';
    const headers = isolated
      ? {
          'Cross-Origin-Opener-Policy': 'same-origin',
          'Cross-Origin-Embedder-Policy': 'require-corp',
          'Cross-Origin-Resource-Policy': 'same-origin',
        }
      : {};
    if (csp) headers['Content-Security-Policy'] = csp;
    let answer = { status: 200, type: TYPES[path.split('.').at(-1)] ?? 'application/octet-stream' };
    const change = Object.entries(spoil).find(([pattern]) => path.includes(pattern))?.[1];
    if (path === 'inos.json') answer.body = JSON.stringify(config);
    else if (build.files.some((file) => file.path === path)) answer.body = await readFile(`${root}dist/${path}`);
    else answer = { status: 404, type: 'text/plain', body: 'no such file' };
    if (change) answer = { ...answer, ...(typeof change === 'function' ? change(answer) : change) };
    if (answer.stall === 'all') return;
    response.writeHead(answer.status, {
      ...headers,
      'Content-Type': answer.type,
      'Content-Length': Buffer.byteLength(answer.body),
    });
    if (answer.cut) {
      // Half of it, then the connection breaks.
      response.write(answer.body.subarray(0, answer.body.length >> 1), () => response.destroy());
      return;
    }
    if (answer.stall === 'rest') response.write(answer.body.slice(0, answer.body.length >> 1));
    else response.end(answer.body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    kernel: build.kernel.path,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
