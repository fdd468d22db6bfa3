// The two browsers behind one interface, for pages that post their reports: browsers[name]() starts
// one with an empty profile; open(url) shows a page; log() is the last output of its console, with
// the fate of its requests; close() ends it.
import { launchChromium, openPage } from './chromium.mjs';
import { launchFirefox } from './firefox.mjs';

export const browsers = {
  async chromium() {
    const browser = await launchChromium();
    let page;
    return {
      version: browser.version(),
      async open(url) {
        page = await openPage(browser);
        await page.goto(url);
      },
      log: () => page?.log ?? [],
      close: () => browser.close(),
    };
  },
  async firefox() {
    const { version, page, close } = await launchFirefox();
    return { version, open: (url) => page.goto(url), log: () => page.log, close };
  },
};
