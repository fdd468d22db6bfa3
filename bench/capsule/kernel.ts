// The kernel's Worker of the benchmark: runs the Go program with the capsule
// imports, the peers beside it, and passes its lines on.
import '/wasm_exec.js';
import { capsuleHost } from '/src/capsule/host.ts';
import { peers } from '/peers.ts';

declare const Go: any;
const params = new URL(self.location.href).searchParams;

async function main(): Promise<void> {
  const capsules = capsuleHost(new URL('/src/capsule/worker.ts', self.location.href));
  const g = globalThis as any;
  g.__peers = await peers();
  g.__flood = new Uint8Array(await (await fetch('/capsules/flood.wasm')).arrayBuffer());
  let line = '';
  const decoder = new TextDecoder();
  g.fs.writeSync = (_fd: number, buf: Uint8Array) => {
    line += decoder.decode(buf, { stream: true });
    const lines = line.split('\n');
    line = lines.pop()!;
    for (const l of lines) self.postMessage({ line: l });
    return buf.length;
  };
  const go = new Go();
  go.argv = ['bench', ...params.getAll('arg')];
  go.exit = (code: number) => self.postMessage({ exit: code });
  const imports = { ...go.importObject, inos: capsules.imports };
  const { instance } = await WebAssembly.instantiateStreaming(fetch('/bench.wasm'), imports);
  capsules.attach({
    mem: () => instance.exports['mem'] as WebAssembly.Memory,
    exports: () => instance.exports,
    exited: () => go.exited,
  });
  await go.run(instance);
}

main().catch((err) => self.postMessage({ line: `FAIL: harness: ${err?.stack ?? err}`, exit: 2 }));
