// The two browsers behind one shape, for pages that post what they have to say:
// browsers[name]() starts one with an empty profile; open(url) shows a page; close()
// ends it.
import { launchChromium } from './chromium.mjs';
import { launchFirefox } from './firefox.mjs';

export const browsers = {
  async chromium() {
    const browser = await launchChromium();
    return {
      version: browser.version(),
      async open(url) {
        await (await browser.newPage()).goto(url);
      },
      close: () => browser.close(),
    };
  },
  async firefox() {
    const { version, page, close } = await launchFirefox();
    return { version, open: (url) => page.goto(url), close };
  },
};
