// The kernel's Worker: it runs the Go program, gives this scope the same `inos` as the page, and
// answers the page's calls.
import { consoleApi } from './api/console';
import { asFailure } from './errors';
import { Outbox } from './rpc/outbox';
import { transferable, type FromKernel, type ToKernel } from './rpc/protocol';
import { GoKernel } from './worker/gokernel';

// Only the needed part of the Worker's scope: the page's types say that `self` is a Window.
interface Scope {
  onmessage: ((event: MessageEvent<ToKernel>) => void) | null;
  postMessage(message: FromKernel, transfer?: Transferable[]): void;
}
const scope = self as unknown as Scope;
const started = performance.now();

let kernel: GoKernel | null = null;
const outbox = new Outbox((batch) => scope.postMessage({ t: 'events', batch }));

// The page asks for the same lock, and gets it the moment this Worker ends, whatever the reason: a
// killed Worker gives no other sign. A browser that blocks site data has no locks; then the end of
// a killed Worker is not noticed.
const lock = `inos-kernel/${crypto.randomUUID()}`;
Promise.resolve(
  navigator.locks?.request(lock, () => {
    scope.postMessage({ t: 'alive', lock });
    return new Promise(() => {});
  }),
).then(
  () => scope.postMessage({ t: 'alive', lock: null }),
  () => scope.postMessage({ t: 'alive', lock: null }),
);

scope.onmessage = ({ data }) => {
  switch (data.t) {
    case 'boot':
      boot(data);
      return;
    case 'call':
      void answer(data.id, data.verb, data.args);
      return;
    case 'sense':
      kernel?.sense(data.sample);
      return;
    case 'ack':
      outbox.acknowledged();
      return;
  }
};

function boot({ config, origin }: Extract<ToKernel, { t: 'boot' }>): void {
  kernel = new GoKernel(config, origin, started, {
    onEvent: (event) => {
      // Phases bypass the queue: the page waits for them.
      if (event.type === 'phase') scope.postMessage({ t: 'phase', phase: event as never });
      else outbox.push(event);
    },
    // The page ends this Worker when it receives this.
    onEnd: (reason) => scope.postMessage({ t: 'ended', error: reason.toPlain() }),
  });
  globalThis.inos = consoleApi(kernel);
  kernel.ready.then(
    (info) => scope.postMessage({ t: 'ready', info }),
    () => {}, // onEnd has the reason
  );
  kernel.joined.then(
    (status) => scope.postMessage({ t: 'joined', status }),
    (thrown: unknown) => scope.postMessage({ t: 'apart', error: asFailure(thrown, 'bootstrap_unreachable').toPlain() }),
  );
}

async function answer(id: number, verb: string, args: unknown[]): Promise<void> {
  try {
    if (!kernel) throw asFailure('the kernel has not been booted', 'kernel_crashed');
    const value = verb === 'close' ? await kernel.close() : await kernel.call(verb, args);
    scope.postMessage({ t: 'result', id, value }, transferable(value));
  } catch (thrown) {
    scope.postMessage({ t: 'failure', id, error: asFailure(thrown, 'internal').toPlain() });
  }
}
