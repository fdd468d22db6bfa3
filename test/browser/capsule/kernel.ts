// The kernel's Worker, as far as capsules need it: runs a Go test program with
// the capsule imports and reports its lines and its exit code.
import '/wasm_exec.js';
import { capsuleHost } from '/src/capsule/host.ts';

declare const Go: any;
const params = new URL(self.location.href).searchParams;

async function main(): Promise<void> {
  const workerURL = new URL('/src/capsule/worker.ts', self.location.href);
  const capsules = capsuleHost(workerURL);
  (globalThis as any).__workerURL = workerURL; // a test points it elsewhere
  (globalThis as any).__inosCapsules = capsules.control;
  const wasm = async (name: string) => new Uint8Array(await (await fetch(`/capsules/${name}.wasm`)).arrayBuffer());
  (globalThis as any).__capsules = {};
  for (const name of ['hash', 'fault', 'flood', 'wordcount']) (globalThis as any).__capsules[name] = await wasm(name);
  (globalThis as any).__post = async (path: string, body: Uint8Array) => {
    const r = await fetch(path, { method: 'POST', body: body as BodyInit });
    return { ok: r.ok, body: await r.arrayBuffer() };
  };

  let line = '';
  const decoder = new TextDecoder();
  (globalThis as any).fs.writeSync = (_fd: number, buf: Uint8Array) => {
    line += decoder.decode(buf, { stream: true });
    const lines = line.split('\n');
    line = lines.pop()!;
    for (const l of lines) self.postMessage({ line: l });
    return buf.length;
  };

  const go = new Go();
  go.argv = ['capsule.test', ...params.getAll('arg')];
  go.exit = (code: number) => self.postMessage({ exit: code });
  const imports = { ...go.importObject, inos: capsules.imports };
  const { instance } = await WebAssembly.instantiateStreaming(fetch('/capsule.test.wasm'), imports);
  capsules.attach({
    mem: () => instance.exports['mem'] as WebAssembly.Memory,
    exports: () => instance.exports,
    exited: () => go.exited,
  });
  await go.run(instance);
}

main().catch((err) => self.postMessage({ line: `FAIL: harness: ${err?.stack ?? err}`, exit: 2 }));
