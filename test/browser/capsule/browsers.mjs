// The two browsers behind one shape: open(url) shows a page, close() ends them.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(new URL('../../../web/package.json', import.meta.url));

export const browsers = {
  async chromium() {
    const { chromium } = require('playwright-core');
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
      ],
    });
    return {
      async open(url) {
        await (await browser.newPage()).goto(url);
      },
      close: () => browser.close(),
    };
  },

  // Started by hand: within a WebDriver BiDi session Firefox ESR 153 blocks for
  // good in `new Worker` of a nested Worker, about every second run. Without a
  // session it never does.
  async firefox() {
    const profile = await mkdtemp(join(tmpdir(), 'inos-firefox-'));
    await writeFile(join(profile, 'user.js'), [
      'user_pref("datareporting.policy.dataSubmissionEnabled", false);',
      'user_pref("app.update.enabled", false);',
      'user_pref("browser.aboutwelcome.enabled", false);',
      'user_pref("network.captive-portal-service.enabled", false);',
    ].join('\n'));
    let child;
    return {
      async open(url) {
        const exe = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
        child = spawn(exe, ['--headless', '--no-remote', '--profile', profile, url], { stdio: 'ignore' });
        await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      },
      async close() {
        if (child?.exitCode === null) {
          const ended = new Promise((r) => child.once('exit', r));
          child.kill();
          await ended;
        }
        await rm(profile, { recursive: true, force: true, maxRetries: 10 });
      },
    };
  },
};
