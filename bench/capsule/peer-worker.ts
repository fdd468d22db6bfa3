// The other Worker of peers.ts; the query names the means by which it answers.
import { expose } from '/comlink.mjs';

const scope = self as any;
const [kind, looks] = self.location.search.slice(1).split('&looks=');
const answer = (c: any) => ({ id: c.id, code: 0, memoryBytes: 0, memoryEpoch: 1, timestamp: Date.now() });

scope.onmessage = (e: MessageEvent) => {
  scope.onmessage = null;
  if (kind === 'comlink') expose({ command: answer });
  if (kind === 'post') scope.onmessage = (m: MessageEvent) => scope.postMessage(answer(m.data));
  scope.postMessage('started');
  if (kind === 'atomics') serve(e.data);
};

function serve(shared: SharedArrayBuffer): void {
  const words = new Int32Array(shared);
  const command = new DataView(shared, 64, 256);
  const reply = new DataView(shared, 64 + 256, 256);
  for (let seen = 0; ; ) {
    for (let i = 0; i < Number(looks) && Atomics.load(words, 0) === seen; i++);
    // A notify may come late, for a command that was already seen.
    while (Atomics.load(words, 0) === seen) Atomics.wait(words, 0, seen);
    seen = Atomics.load(words, 0);
    let target = '';
    for (let i = 16, c; (c = command.getUint8(i)) !== 0; i++) target += String.fromCharCode(c);
    reply.setUint32(0, command.getUint32(0));
    reply.setUint32(4, target === 'c1' ? 0 : 1);
    reply.setFloat64(8, Date.now());
    Atomics.add(words, 8, 1);
    Atomics.notify(words, 8);
  }
}
