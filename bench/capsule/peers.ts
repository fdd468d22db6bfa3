// What the kernel's commands are compared with: the same question and answer between this Worker
// and another, by other means. Each asks n times, one after the other, and returns the times in
// milliseconds.
import { wrap } from '/comlink.mjs';

interface Command {
  id: number;
  type: number;
  target: string;
  timestamp: number;
}

const now = () => performance.now();
const bytes = 256;

/** Some 30 µs of polling, as long as the kernel and its capsules poll. */
const LOOKS = 2000;

type Ask = (c: Command) => unknown;

/** `pause` is the time in milliseconds between an answer and the next question. */
async function timed(n: number, pause: number, ask: Ask): Promise<Float64Array> {
  const times = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    const began = now();
    await ask({ id: i, type: 3, target: 'c1', timestamp: Date.now() });
    times[i] = now() - began;
  }
  return times;
}

/** Resolves once the Worker has reported that it runs. */
async function started(name: string, data?: unknown): Promise<Worker> {
  const worker = new Worker(`/peer-worker.ts?${name}`, { type: 'module' });
  await new Promise((resolve) => {
    worker.onmessage = resolve;
    worker.postMessage(data);
  });
  worker.onmessage = null;
  return worker;
}

/** `looks` is how often both sides poll their word before they sleep on it. */
async function atomics(looks: number) {
  const shared = new SharedArrayBuffer(64 + 2 * bytes);
  const words = new Int32Array(shared);
  const worker = await started(`atomics&looks=${looks}`, shared);
  const command = new DataView(shared, 64, bytes);
  const reply = new DataView(shared, 64 + bytes, bytes);
  let seen = 0;
  const ask = async (c: Command) => {
    command.setUint32(0, c.id);
    command.setUint32(4, c.type);
    command.setFloat64(8, c.timestamp);
    for (let i = 0; i < c.target.length; i++) command.setUint8(16 + i, c.target.charCodeAt(i));
    Atomics.add(words, 0, 1);
    Atomics.notify(words, 0);
    for (let i = 0; i < looks && Atomics.load(words, 8) === seen; i++);
    while (Atomics.load(words, 8) === seen) {
      const wait = Atomics.waitAsync(words, 8, seen);
      if (wait.async) await wait.value;
    }
    seen = Atomics.load(words, 8);
    if (reply.getUint32(0) !== c.id) throw new Error('wrong answer');
  };
  return { ask, end: () => worker.terminate() };
}

async function postMessage() {
  const worker = await started('post');
  let answered: (e: MessageEvent) => void = () => undefined;
  worker.onmessage = (e) => answered(e);
  const ask = async (c: Command) => {
    const answer = new Promise<MessageEvent>((resolve) => {
      answered = resolve;
    });
    worker.postMessage(c);
    if ((await answer).data.id !== c.id) throw new Error('wrong answer');
  };
  return { ask, end: () => worker.terminate() };
}

async function comlink() {
  const worker = await started('comlink');
  const remote: any = wrap(worker);
  const ask = async (c: Command) => {
    if ((await remote.command(c)).id !== c.id) throw new Error('wrong answer');
  };
  return { ask, end: () => worker.terminate() };
}

/** The time from new Worker to its first message: any capsule in a Worker takes that. */
async function spawn(n: number): Promise<Float64Array> {
  const times = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const began = now();
    const worker = await started('post');
    times[i] = now() - began;
    worker.terminate();
  }
  return times;
}

export async function peers() {
  const all: Record<string, { ask: Ask; end(): void }> = {
    atomics: await atomics(0),
    spinning: await atomics(LOOKS),
    postMessage: await postMessage(),
    comlink: await comlink(),
  };
  return {
    run: (name: string, n: number, pause = 0) => timed(n, pause, all[name]!.ask),
    spawn,
    end() {
      for (const peer of Object.values(all)) peer.end();
    },
  };
}
