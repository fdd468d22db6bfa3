// A headless Firefox with an empty profile, driven over Marionette, which is what
// geckodriver speaks to it: length-prefixed JSON over TCP (Firefox source docs,
// "Marionette: Protocol"). Within a WebDriver BiDi session Firefox ESR 153 blocks
// for good in `new Worker` of a nested Worker about every second time, so neither
// puppeteer nor playwright can drive a page whose kernel spawns capsules.
import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findBrowser } from './find.mjs';

const START_MS = 60_000;
const PORT_FILE = 'MarionetteActivePort';

const KEPT_LINES = 400;

const PREFS = {
  'marionette.port': 0, // any free one; Firefox writes it into the profile
  'devtools.console.stdout.content': true, // what pages and Workers say, and only there
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.update.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'network.captive-portal-service.enabled': false,
};

export const firefoxPath = () => findBrowser('FIREFOX', ['firefox-esr', 'firefox'], 'apt-get install firefox-esr');

/**
 * Starts Firefox and opens a page of the shape that lib/chromium.mjs's inPage and the demo's steps use. With a `profile`
 * (a folder) it starts on that one and leaves it; `prefs` are set besides its own.
 */
export async function launchFirefox({ profile: kept, prefs = {} } = {}) {
  const profile = kept ?? (await mkdtemp(join(tmpdir(), 'inos-firefox-')));
  await rm(join(profile, PORT_FILE), { force: true }); // of a run before
  await writeFile(
    join(profile, 'user.js'),
    Object.entries({ ...PREFS, ...prefs })
      .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
      .join(''),
  );
  const child = spawn(
    firefoxPath(),
    ['--headless', '--no-remote', '--marionette', '--profile', profile, 'about:blank'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = [];
  for (const output of [child.stdout, child.stderr]) {
    createInterface(output).on('line', (line) => {
      if (!/^(console\.|JavaScript (error|warning))/.test(line)) return; // of Firefox itself
      log.push(line);
      if (log.length > KEPT_LINES) log.shift();
    });
  }
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill); // a driver that ends abruptly must not leave a browser behind
  const close = async () => {
    child.kill();
    await ended;
    process.off('exit', kill);
    if (!kept) await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    const port = await Promise.race([
      portIn(profile),
      ended.then((how) => Promise.reject(new Error(`Firefox ended before it was up: ${how}`))),
    ]);
    const send = await marionette(port);
    const { capabilities } = await send('WebDriver:NewSession', { capabilities: { alwaysMatch: {} } });
    await send('WebDriver:SetTimeouts', { script: 600_000, pageLoad: 60_000 });
    await send('WebDriver:SetWindowRect', { width: 1280, height: 1300 });
    return {
      version: capabilities.browserVersion,
      page: pageOf(send, log),
      close,
      /** Opens another tab: what is done with the page from now on is done there. */
      async tab() {
        const { handle } = await send('WebDriver:NewWindow', { type: 'tab' });
        await send('WebDriver:SwitchToWindow', { handle });
      },
      /** Ends it as a power failure would: SIGKILL, and nothing is written any more. */
      async kill() {
        kill();
        await ended;
        process.off('exit', kill);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits for the file in which Firefox notes Marionette's port. */
async function portIn(profile) {
  let watcher;
  let timer;
  try {
    return await new Promise((resolve, reject) => {
      const look = () =>
        readFile(join(profile, PORT_FILE), 'utf8').then(
          (text) => /^\d+$/.test(text.trim()) && resolve(Number(text)),
          () => {},
        );
      watcher = watch(profile, look);
      timer = setTimeout(
        () => reject(new Error(`Firefox did not open its Marionette port within ${START_MS / 1000} s`)),
        START_MS,
      );
      look();
    });
  } finally {
    watcher?.close();
    clearTimeout(timer);
  }
}

/** Connects; resolves to send(command, parameters), which resolves to the answer. */
function marionette(port) {
  const socket = connect(port, '127.0.0.1');
  const pending = new Map();
  let last = 0;
  let rest = Buffer.alloc(0);
  const send = (name, parameters) =>
    new Promise((resolve, reject) => {
      pending.set(++last, { resolve, reject });
      const text = Buffer.from(JSON.stringify([0, last, name, parameters]));
      socket.write(`${text.length}:`);
      socket.write(text);
    });
  return new Promise((resolve, reject) => {
    const failed = (error) => {
      reject(error);
      for (const p of pending.values()) p.reject(error);
      pending.clear();
    };
    socket.once('error', failed);
    socket.once('close', () => failed(new Error('Firefox closed the Marionette connection')));
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const colon = rest.indexOf(':');
        const length = Number(rest.subarray(0, colon));
        if (colon < 0 || rest.length < colon + 1 + length) return;
        const message = JSON.parse(rest.subarray(colon + 1, colon + 1 + length));
        rest = rest.subarray(colon + 1 + length);
        if (!Array.isArray(message)) {
          resolve(send); // the greeting
          continue;
        }
        const [, id, error, result] = message;
        const p = pending.get(id);
        pending.delete(id);
        if (error) p?.reject(new Error(`${error.error}: ${error.message}`));
        else p?.resolve(result?.value ?? result);
      }
    });
  });
}

/** The part of a page that the demo's steps need. */
function pageOf(send, log) {
  return {
    log,
    goto: (url) => send('WebDriver:Navigate', { url }),
    /** Evaluates an expression beside the page, with the page's globals; a Promise is awaited. The value must be JSON. */
    async evaluate(source) {
      const { text, error } = await send('WebDriver:ExecuteAsyncScript', {
        script: `const done = arguments[0];
          Promise.resolve(${source}).then((value) => done({ text: JSON.stringify(value) }), (error) => done({ error: String(error) }));`,
        args: [],
      });
      if (error) throw new Error(error);
      return text === undefined ? undefined : JSON.parse(text);
    },
    async screenshot({ path }) {
      await writeFile(path, Buffer.from(await send('WebDriver:TakeScreenshot', { full: true, hash: false }), 'base64'));
    },
  };
}
