// A browser that lends its machine, for those who attack it (test/hostile): serves the shell, opens it in
// a browser, and does what the lines of its standard input say, each answered by a line of JSON. It ends with its input.
//
//   node test/browser/hostile.mjs chromium|firefox MULTIADDR
//
//   connect MULTIADDR   connects to a peer
//   begin               forgets what was measured
//   seen                what was measured since: the longest time between two turns of the page (turnMs), between two of its
//                       frames (frameMs), and the slowest answer of its kernel (answerMs)
//   workers             how many Workers live that have a capsule, or had one that did not return
import { createInterface } from 'node:readline';
import { inPage, launchChromium, openPage } from './lib/chromium.mjs';
import { launchFirefox } from './lib/firefox.mjs';
import { serveSpoiled } from './lib/spoiled.mjs';

const [name, bootstrap] = process.argv.slice(2);
const PRICE = 10; // that of a native node

const open = {
  async chromium() {
    const browser = await launchChromium();
    return { page: await openPage(browser), close: () => browser.close() };
  },
  firefox: launchFirefox,
};

/** Runs in the page: measures its turns, its frames and the answers of its kernel. */
const measuring = () => {
  const seen = { turnMs: 0, frameMs: 0, answerMs: 0 };
  const gaps = (field, next) => {
    let last = performance.now();
    const turn = () => {
      const now = performance.now();
      seen[field] = Math.max(seen[field], now - last);
      last = now;
      next(turn);
    };
    next(turn);
  };
  const ask = async () => {
    await inos.joined;
    for (;;) {
      const asked = performance.now();
      await inos.jobs();
      seen.answerMs = Math.max(seen.answerMs, performance.now() - asked);
      await new Promise((next) => setTimeout(next, 20));
    }
  };
  globalThis.hostile = {
    begin: () => Object.assign(seen, { turnMs: 0, frameMs: 0, answerMs: 0 }),
    seen: () => ({ ...seen }),
    /** Resolves once the kernel takes jobs of others: its user opened the page just now. */
    async lends() {
      await inos.joined;
      while (!(await inos.status()).mining) await new Promise((later) => setTimeout(later, 500));
      return { peerId: (await inos.status()).peerId };
    },
    async workers() {
      const busy = await new Promise((resolve) => {
        const channel = new BroadcastChannel('busy');
        channel.onmessage = ({ data }) => {
          channel.close();
          resolve(data);
        };
        channel.postMessage('which?');
      });
      // Only a Worker that lives holds its lock.
      const alive = (await navigator.locks.query()).held.map((lock) => lock.name);
      return { workers: busy.filter((name) => alive.includes(name)).length };
    },
  };
  gaps('turnMs', (turn) => setTimeout(turn, 10));
  gaps('frameMs', requestAnimationFrame);
  addEventListener('load', () => void ask());
};

const does = {
  connect: (addr) => inPage(page, (to) => inos.connect(to), addr),
  begin: () => inPage(page, () => hostile.begin()),
  seen: () => inPage(page, () => hostile.seen()),
  workers: () => inPage(page, () => hostile.workers()),
};

/** Runs before the kernel's script: records which Workers have a capsule, and reports it. Workers
 * that wait for one have none. */
const noting = `{
  const busy = new Set();
  globalThis.Worker = class extends Worker {
    #name;
    constructor(url, options) { super(url, options); this.#name = options?.name; }
    postMessage(message, ...rest) {
      if (message?.kind === 'start') busy.add(this.#name);
      if (message?.kind === 'wipe') busy.delete(this.#name);
      return super.postMessage(message, ...rest);
    }
  };
  const channel = new BroadcastChannel('busy');
  channel.onmessage = ({ data }) => { if (data === 'which?') channel.postMessage([...busy]); };
}
`;

const server = await serveSpoiled({
  boot: { bootstrap: [bootstrap], creditCost: PRICE },
  spoil: {
    'kernel.worker': (answer) => ({ body: noting + answer.body }),
    'index.html': (answer) => ({ body: `${answer.body}<script>(${measuring})()</script>` }),
  },
});
const { page, close } = await open[name]();
const say = (what) => console.log(JSON.stringify(what));
try {
  await page.goto(server.url);
  say(await inPage(page, () => hostile.lends(), null, 90_000));
  for await (const line of createInterface(process.stdin)) {
    const [word, what] = line.split(' ');
    try {
      say(await does[word](what));
    } catch (error) {
      say({ error: `${error.message}; ${page.log.slice(-5).join('; ')}` });
    }
  }
} catch (error) {
  say({ error: `${error.message}; ${page.log.slice(-5).join('; ')}` });
} finally {
  await close();
  await server.close();
}
