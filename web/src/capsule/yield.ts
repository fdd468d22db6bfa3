// A macrotask without the millisecond or more that setTimeout takes. It lets the other events of
// this Worker have their turn.

const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];

port1.onmessage = () => waiting.shift()?.();

/** Resolves in a task of its own, after the tasks that are due already. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(0);
  });
}

/** How long a program may keep this Worker from its other events, in milliseconds. */
const StintMs = 4;

/** The start of the present stint; undefined when the Worker's events have had a turn since the last. */
let since: number | undefined;

/**
 * Whether the caller has kept this Worker for long enough. The first call after a turn of the other
 * events begins a stint.
 */
export function tired(): boolean {
  const now = performance.now();
  if (since === undefined) {
    since = now;
    void rest();
  }
  return now - since >= StintMs;
}

/** Resolves, in a new stint, once the events that are due have had their turn. */
export async function rest(): Promise<void> {
  await nextTask();
  since = undefined;
}
