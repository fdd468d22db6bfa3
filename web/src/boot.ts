// Starts a kernel for this page: what the browser must have, /inos.json, the Worker.
import { InosFailure, asFailure } from './errors';
import type { KernelLink, WorkerPort } from './rpc/link';
import type { BootConfig } from './rpc/protocol';

/** What this browser lacks to run a kernel, or null. */
export function missing(): InosFailure | null {
  if (typeof WebAssembly !== 'object' || typeof WebAssembly.compileStreaming !== 'function') {
    return new InosFailure('webassembly_missing', 'This browser has no WebAssembly, or it is switched off.');
  }
  if (!isSecureContext) {
    return new InosFailure(
      'cross_origin_isolation',
      'This page is not a secure context: open it over https, or from http://127.0.0.1 or http://localhost.',
    );
  }
  if (!crossOriginIsolated) {
    return new InosFailure(
      'cross_origin_isolation',
      'This page is not cross-origin isolated, so capsules could share no memory. The server must send ' +
        'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp; `inos serve` does.',
    );
  }
  if (typeof WebTransport !== 'function') {
    return new InosFailure(
      'webtransport_missing',
      'This browser has no WebTransport, the only way from here into the mesh. Chromium 114, Firefox 125 and later have it.',
    );
  }
  return null;
}

/** Boots into `link`; whatever is in the way ends the link with its own code. */
export async function boot(link: KernelLink, makeWorker: () => WorkerPort): Promise<BootConfig | null> {
  try {
    const lack = missing();
    if (lack) throw lack;
    const config = await loadConfig();
    link.start(makeWorker(), config);
    return config;
  } catch (thrown) {
    link.fail(asFailure(thrown, 'worker_failed'));
    return null;
  }
}

async function loadConfig(): Promise<BootConfig> {
  const url = new URL('inos.json', document.baseURI);
  let given: Partial<BootConfig>;
  try {
    const response = await fetch(url, { cache: 'no-store' });
    if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`);
    given = (await response.json()) as Partial<BootConfig>;
    if (typeof given.kernel !== 'string') throw new Error('it names no kernel');
  } catch (thrown) {
    throw new InosFailure(
      'config_load_failed',
      `${url.pathname} could not be read, which says where the kernel and the mesh are: ${asFailure(thrown, '').message}`,
    );
  }
  const absolute = (path: string) => new URL(path, document.baseURI).href;
  // ?bootstrap=MULTIADDR adds a node, ?alone uses none, ?hedge and ?near=GEOHASH:KM as in BootConfig: for tries by hand.
  const query = new URLSearchParams(location.search);
  const bootstrap = query.has('alone') ? [] : [...query.getAll('bootstrap'), ...(given.bootstrap ?? [])];
  return {
    ...given,
    kernel: absolute(given.kernel),
    name: query.get('name') ?? given.name ?? 'browser',
    bootstrap,
    capabilities: given.capabilities ?? capabilities(),
    hedge: query.has('hedge') || given.hedge === true,
    near: query.get('near') ?? given.near ?? '',
    capsules: (given.capsules ?? []).map((capsule) => ({ ...capsule, url: absolute(capsule.url) })),
  };
}

/** What this browser offers to jobs. */
function capabilities(): string[] {
  // A function whose body is one SIMD instruction, dropped.
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11];
  return ['threads', ...(WebAssembly.validate(Uint8Array.from(simd)) ? ['simd'] : [])];
}
