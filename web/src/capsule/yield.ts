// A macrotask without the millisecond or more that setTimeout takes: lets the
// other events of this Worker have their turn.

const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];

port1.onmessage = () => waiting.shift()?.();

/** Resolves in a task of its own, after those that are due already. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(0);
  });
}
