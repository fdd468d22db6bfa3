// Loads kernel.wasm and compiles it, with a separate error for each way in which that can fail.
import { InosFailure } from '../errors';

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]; // "\0asm", version 1

/** `onFetched` is called once the response's head has arrived. */
export async function loadModule(url: string, onFetched: (detail: string) => void): Promise<WebAssembly.Module> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (thrown) {
    throw new InosFailure('wasm_load_failed', `the kernel could not be fetched from ${url}: ${messageOf(thrown)}`);
  }
  if (!response.ok) {
    throw new InosFailure(
      'wasm_load_failed',
      `the kernel is not at ${url}: HTTP ${response.status} ${response.statusText}`,
    );
  }
  onFetched(`HTTP ${response.status}, ${response.headers.get('content-encoding') ?? 'not compressed'}`);
  const type = response.headers.get('content-type') ?? 'no content type';
  return /^application\/wasm\b/.test(type) ? compileStream(url, response) : compileBytes(url, type, response);
}

async function compileStream(url: string, response: Response): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compileStreaming(response);
  } catch (thrown) {
    if (thrown instanceof WebAssembly.CompileError) throw refusedOr(thrown, notWasm(url, thrown.message));
    if (thrown instanceof RangeError) throw noMemory(thrown);
    throw new InosFailure('wasm_load_failed', `the kernel broke off while it came from ${url}: ${messageOf(thrown)}`);
  }
}

// Compiles the bytes where the server does not know application/wasm, or has sent a page instead of
// the module.
async function compileBytes(url: string, type: string, response: Response): Promise<WebAssembly.Module> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (thrown) {
    throw new InosFailure('wasm_load_failed', `the kernel broke off while it came from ${url}: ${messageOf(thrown)}`);
  }
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) {
    const start = new TextDecoder().decode(bytes.subarray(0, 24));
    throw notWasm(url, `it is ${type} and starts with ${JSON.stringify(start)}`);
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (thrown) {
    throw thrown instanceof RangeError ? noMemory(thrown) : refusedOr(thrown, notWasm(url, messageOf(thrown)));
  }
}

export async function instantiate(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
): Promise<WebAssembly.Instance> {
  try {
    return await WebAssembly.instantiate(module, imports);
  } catch (thrown) {
    if (thrown instanceof RangeError) throw noMemory(thrown);
    throw new InosFailure(
      'wasm_instantiate_failed',
      `the kernel does not fit this shell or this browser: ${messageOf(thrown)}`,
    );
  }
}

/** The error of a module that is refused for its content or by the page's own policy: browsers throw
 * the same error for both. */
function refusedOr(thrown: unknown, otherwise: InosFailure): InosFailure {
  if (!/content security policy|unsafe-eval|\bCSP\b/i.test(messageOf(thrown))) return otherwise;
  return new InosFailure(
    'csp_refused',
    "this page's Content-Security-Policy forbids WebAssembly: the server must add 'wasm-unsafe-eval' to its script-src; `inos serve` does. " +
      messageOf(thrown),
  );
}

function noMemory(thrown: RangeError): InosFailure {
  return new InosFailure(
    'wasm_no_memory',
    `this browser has no memory for the kernel, which needs some 100 MB: close other tabs or programs, then reload. ${thrown.message}`,
  );
}

function notWasm(url: string, why: string): InosFailure {
  return new InosFailure('wasm_bad_module', `what lies at ${url} is no WebAssembly module: ${why}`);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
