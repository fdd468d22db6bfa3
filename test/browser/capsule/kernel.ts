// The kernel's Worker, as far as capsules need it: runs a Go program with the
// capsule imports and reports its lines and its exit code. For the tests beside it
// and for bench/capsule. Its query:
//
//   program=PATH   the Go program
//   capsule=NAME   a capsule whose bytes it gets as __capsules[NAME]; any number
//   peers=PATH     a module whose peers() becomes __peers; optional
//   arg=TEXT       an argument of the program; any number
import '/wasm_exec.js';
import { capsuleHost } from '/src/capsule/host.ts';

declare const Go: any;
const params = new URL(self.location.href).searchParams;
const globals = globalThis as any;

async function main(): Promise<void> {
  const workerURL = new URL('/src/capsule/worker.ts', self.location.href);
  const capsules = capsuleHost(workerURL);
  globals.__workerURL = workerURL; // a test points it elsewhere
  globals.__inosCapsules = capsules.control;
  globals.__capsules = {};
  for (const name of params.getAll('capsule')) {
    globals.__capsules[name] = new Uint8Array(await (await fetch(`/capsules/${name}.wasm`)).arrayBuffer());
  }
  const peers = params.get('peers');
  if (peers !== null) globals.__peers = await (await import(peers)).peers();
  globals.__post = async (path: string, body: Uint8Array) => {
    const r = await fetch(path, { method: 'POST', body: body as BodyInit });
    return { ok: r.ok, body: await r.arrayBuffer() };
  };

  let line = '';
  const decoder = new TextDecoder();
  globals.fs.writeSync = (_fd: number, buf: Uint8Array) => {
    line += decoder.decode(buf, { stream: true });
    const lines = line.split('\n');
    line = lines.pop()!;
    for (const l of lines) self.postMessage({ line: l });
    return buf.length;
  };

  const go = new Go();
  go.argv = ['program', ...params.getAll('arg')];
  go.exit = (code: number) => self.postMessage({ exit: code });
  const imports = { ...go.importObject, inos: capsules.imports };
  const { instance } = await WebAssembly.instantiateStreaming(fetch(params.get('program')!), imports);
  capsules.attach({
    mem: () => instance.exports.mem as WebAssembly.Memory,
    exports: () => instance.exports,
    exited: () => go.exited,
  });
  await go.run(instance);
}

main().catch((err) => self.postMessage({ line: `FAIL: harness: ${err?.stack ?? err}`, exit: 2 }));
