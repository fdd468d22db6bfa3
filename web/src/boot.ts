// Starts a kernel for this page: checks the browser, reads /inos.json, starts the Worker.
import { InosFailure, asFailure } from './errors';
import { bootCapsuleFields, bootFields } from './fields';
import type { KernelLink, WorkerPort } from './rpc/link';
import type { BootConfig } from '../boot';

/** How long /inos.json may take; it is small. */
const CONFIG_MS = 10_000;
/** The CIDv1 of a capsule: raw bytes, SHA-256, in base 32 without spare bits. */
const CID = /^bafkrei[a-h][a-z2-7]{50}[aeimquy4]$/;

/** The feature that this browser lacks to run a kernel, or null. */
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
  if (typeof Atomics.waitAsync !== 'function') {
    return new InosFailure(
      'wait_async_missing',
      'This browser has no Atomics.waitAsync, by which the kernel hears its capsules. Chromium 87 and Firefox 153 have it.',
    );
  }
  return null;
}

/** The error where the page's policy forbids the Worker. */
export function workerForbidden(directive: string, url: string): InosFailure {
  return new InosFailure(
    'csp_refused',
    `this page's Content-Security-Policy (${directive}) forbids the kernel's Worker ${url}: the server must allow worker-src 'self'; \`inos serve\` does`,
  );
}

/** Boots the kernel into `link`; an obstacle ends the link with its own code. */
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

export async function loadConfig(): Promise<BootConfig> {
  const url = new URL('inos.json', document.baseURI);
  let given: Partial<BootConfig>;
  try {
    // The signal covers the body too: a body that has begun may still stall.
    const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(CONFIG_MS) });
    if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`);
    given = checkConfig(await response.json());
  } catch (thrown) {
    const late = thrown instanceof DOMException && thrown.name === 'TimeoutError';
    const why = late ? `it did not come within ${CONFIG_MS / 1000} s` : asFailure(thrown, 'config_load_failed').message;
    throw new InosFailure(
      'config_load_failed',
      `${url.pathname} could not be read, which says where the kernel and the mesh are: ${why}`,
    );
  }
  const absolute = (path: string) => new URL(path, document.baseURI).href;
  // For trials by hand: ?bootstrap=MULTIADDR adds a node, ?alone uses none, ?hedge and
  // ?near=GEOHASH:KM are as in BootConfig.
  const query = new URLSearchParams(location.search);
  const bootstrap = query.has('alone') ? [] : [...query.getAll('bootstrap'), ...(given.bootstrap ?? [])];
  return {
    ...given,
    kernel: absolute(given.kernel!),
    name: query.get('name') ?? given.name ?? 'browser',
    bootstrap,
    capabilities: given.capabilities ?? capabilities(),
    hedge: query.has('hedge') || given.hedge === true,
    near: query.get('near') ?? given.near ?? '',
    capsules: (given.capsules ?? []).map((capsule) => ({ ...capsule, url: absolute(capsule.url) })),
  };
}

type Check = (typeof bootFields)[keyof typeof bootFields];

/** The values that each kind of field takes. */
const fits: Record<Check['kind'], (value: unknown) => boolean> = {
  text: (value: unknown) => typeof value === 'string',
  texts: (value: unknown) => Array.isArray(value) && value.every(fits.text),
  flag: (value: unknown) => typeof value === 'boolean',
  integer: Number.isSafeInteger,
  whole: (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0,
  list: Array.isArray,
};

/**
 * Returns `given` once every field that the kernel reads is of its type, absent or null; otherwise
 * throws and names the error. A bad figure that the kernel itself found would end it.
 */
export function checkConfig(given: unknown): Partial<BootConfig> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new Error('it is no object');
  const config = given as Record<string, unknown>;
  if (!fits.text(config.kernel)) throw new Error('it names no kernel');
  checkFields('its', bootFields, config);
  for (const capsule of (config.capsules ?? []) as unknown[]) {
    const { name, url, cid } = (capsule ?? {}) as Record<string, unknown>;
    if (![name, url, cid].every(fits.text))
      throw new Error(`a capsule must have a name, a url and a cid: ${JSON.stringify(capsule)}`);
    if (!CID.test(cid as string))
      throw new Error(`capsule ${JSON.stringify(name)} has no CID of a capsule: ${JSON.stringify(cid)}`);
    checkFields(`of capsule ${JSON.stringify(name)} the`, bootCapsuleFields, capsule as Record<string, unknown>);
  }
  return config;
}

function checkFields(whose: string, fields: Record<string, Check>, given: Record<string, unknown>): void {
  for (const [name, { kind, is }] of Object.entries(fields)) {
    const value = given[name];
    if (value !== undefined && value !== null && !fits[kind](value))
      throw new Error(`${whose} ${name} must be ${is}, not ${JSON.stringify(value)}`);
  }
}

/** The capabilities that this browser offers to jobs. */
function capabilities(): string[] {
  // A function whose body is one SIMD instruction, dropped.
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11];
  return ['threads', ...(WebAssembly.validate(Uint8Array.from(simd)) ? ['simd'] : [])];
}
