// The browsers behind one shape: start(args, onLines, acked) runs the page program in a
// page of its own and resolves to that page; end(page) closes it; `kills` end one badly.
// Each keeps one profile in `work`, so that its store outlasts them.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromiumPath } from '../lib/chromium.mjs';
import { launchFirefox } from '../lib/firefox.mjs';

const { chromium: playwright } = createRequire(new URL('../../../web/package.json', import.meta.url))(
  'playwright-core',
);

export const browsers = {
  async chromium(work, url) {
    const context = await playwright.launchPersistentContext(join(work, 'chromium'), {
      executablePath: chromiumPath(),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    return {
      name: `Chromium ${context.browser()?.version() ?? ''}`.trim(),
      async start(args, onLines, acked = []) {
        const page = await context.newPage();
        await page.exposeFunction('heard', onLines);
        await page.goto(url);
        await page.evaluate(
          (message) => {
            globalThis.worker = new Worker('/worker.js');
            globalThis.worker.onmessage = ({ data }) => globalThis.heard(data);
            globalThis.worker.postMessage(message);
          },
          [args, acked.join(' ')],
        );
        return page;
      },
      end: (page) => page.close(),
      kills: {
        'the Worker terminated': async (page) => {
          await page.evaluate(() => globalThis.worker.terminate());
          await page.close();
        },
        'the page closed': (page) => page.close(),
        'the renderer crashed': async (page) => {
          const gone = new Promise((resolve) => page.once('crash', resolve));
          const session = await context.newCDPSession(page);
          session.send('Page.crash').catch(() => {}); // it never answers
          await gone;
          await page.close();
        },
      },
      close: () => context.close(),
    };
  },

  // Each run is a frame, which posts its lines to the server: Marionette calls nobody back.
  async firefox(work, url, listeners) {
    const profile = join(work, 'firefox');
    let browser;
    let last = 0;
    const open = async () => {
      browser = await launchFirefox({ profile });
      await browser.page.goto(url);
    };
    await open();
    const run = (fn, arg) => browser.page.evaluate(`(${fn})(${JSON.stringify(arg)})`);
    const remove = (id) =>
      run((id) => {
        document.getElementById(id).remove();
      }, id);
    return {
      name: `Firefox ${browser.version}`,
      async start(args, onLines, acked = []) {
        const id = ++last;
        listeners.set(id, onLines);
        await run(
          (hash) => {
            const frame = document.createElement('iframe');
            frame.id = hash.id;
            frame.src = `/frame#${encodeURIComponent(JSON.stringify(hash))}`;
            document.documentElement.append(frame);
          },
          { id, args, acked: acked.join(' ') },
        );
        return id;
      },
      end: remove,
      kills: {
        'the Worker terminated': async (id) => {
          await run((id) => {
            document.getElementById(id).contentWindow.worker.terminate();
          }, id);
          await remove(id);
        },
        'the page closed': remove,
        'the browser killed': async () => {
          await browser.kill();
          await open();
        },
      },
      close: () => browser.close(),
    };
  },
};
