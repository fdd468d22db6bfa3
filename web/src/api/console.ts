// Makes the `inos` object of a devtools console, the same on the page and in the Worker.
import type { CallResult, DispatchResult, FeedSource, Inos, KernelInfo, Status, VerbHelp } from '../../kernel';
import { InosFailure, asFailure } from '../errors';
import type { Listener } from '../rpc/listeners';
import { checkArguments } from './arguments';
import { feed, listen } from './streams';
import { VERB_NAMES, helpRows, printHelp, type VerbName } from './verbs';

/** The kernel behind the object: in this Worker, or in another. */
export interface Kernel {
  readonly ready: Promise<KernelInfo>;
  readonly joined: Promise<Status>;
  call(verb: string, args: unknown[]): Promise<unknown>;
  on(type: string, listener: Listener): () => void;
  close(): Promise<void>;
}

const LOCAL = {
  help: async (): Promise<VerbHelp[]> => {
    const rows = helpRows();
    printHelp(rows);
    return rows;
  },
};

export function consoleApi(kernel: Kernel): Inos {
  // Unknown names fall through to this prototype: inos.foo() rejects with the list of verbs, while
  // the object itself stays readable in devtools.
  const unknown = new Proxy(Object.prototype, {
    get(target, name, receiver) {
      // `then` must stay absent: `await inos` would call it.
      if (typeof name === 'symbol' || name in target || name === 'then' || name === 'toJSON') {
        return Reflect.get(target, name, receiver) as unknown;
      }
      return () =>
        Promise.reject(new InosFailure('unknown_verb', `inos.${name} is no verb; there are ${VERB_NAMES.join(', ')}`));
    },
  });
  const api = Object.create(unknown) as Record<string, unknown>;
  const define = (name: string, value: unknown) =>
    Object.defineProperty(api, name, { value, enumerable: true, configurable: false, writable: false });

  define('ready', kernel.ready);
  define('joined', kernel.joined);
  for (const verb of VERB_NAMES) define(verb, method(kernel, verb));
  return api as unknown as Inos;
}

function method(kernel: Kernel, verb: VerbName): (...args: unknown[]) => unknown {
  if (verb === 'on') {
    return (...args) => {
      const [type, listener] = checkArguments('on', args) as [string, Listener];
      return kernel.on(type, listener);
    };
  }
  return async (...args) => {
    const checked = checkArguments(verb, args);
    // A deadline counts from here, whatever the call waits for on its way to the kernel.
    if (verb === 'dispatch') checked.push(performance.timeOrigin + performance.now());
    if (verb === 'help') return LOCAL.help();
    if (verb === 'close') return kernel.close();
    // A call made before the kernel is up waits for it, so that an early first line works.
    await kernel.ready;
    try {
      if (verb === 'feed') return await feed(kernel, checked[0] as string, checked[1] as FeedSource);
      if (verb === 'listen') return await listen(kernel, checked[0] as string);
      const value = await kernel.call(verb, checked);
      return verb === 'dispatch' || verb === 'call' ? withText(value as DispatchResult | CallResult) : value;
    } catch (thrown) {
      throw asFailure(thrown, 'internal');
    }
  };
}

/** Adds the output as text: UTF-8 where it is valid, else hex. */
function withText<T extends DispatchResult | CallResult>(result: T): T {
  if (typeof result.text === 'string' || !(result.output instanceof Uint8Array)) return result;
  try {
    return { ...result, text: new TextDecoder('utf-8', { fatal: true }).decode(result.output) };
  } catch {
    return { ...result, text: Array.from(result.output, (byte) => byte.toString(16).padStart(2, '0')).join('') };
  }
}
