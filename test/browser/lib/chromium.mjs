// A headless Chromium with an empty profile, and the output of its pages and Workers.
import { createRequire } from 'node:module';
import { findBrowser } from './find.mjs';

const require = createRequire(new URL('../../../web/package.json', import.meta.url));

const KEPT_LINES = 400;

export const chromiumPath = () =>
  findBrowser('CHROMIUM', ['chromium', 'chromium-browser', 'google-chrome'], 'apt-get install chromium');

/** Starts Chromium with `args` besides those that every test needs. */
export async function launchChromium(args = []) {
  const { chromium } = require('playwright-core');
  return chromium.launch({
    executablePath: chromiumPath(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  });
}

/** Opens a page of its own context whose console, and that of its Workers, is kept in `page.log`. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1200 }, ...options });
  const page = await context.newPage();
  page.log = [];
  const keep = (line) => {
    page.log.push(line);
    if (page.log.length > KEPT_LINES) page.log.shift();
  };
  page.on('console', (message) => keep(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => keep(`page error: ${error.stack ?? error}`));
  page.on('crash', () => keep('the page crashed'));
  page.on('requestfailed', (request) => keep(`request failed: ${request.url()} ${request.failure()?.errorText ?? ''}`));
  page.on('worker', (worker) => {
    keep(`worker started: ${worker.url()}`);
    worker.on('close', () => keep(`worker ended: ${worker.url()}`));
  });
  return page;
}

/**
 * Runs `fn(arg)` in the page. Errors of the console API come back as errors with
 * their code; after `ms` the wait is over.
 */
export async function inPage(page, fn, arg, ms = 30_000) {
  const timeout = new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`the page did not answer within ${ms / 1000} s`)), ms);
    timer.unref();
  });
  const source = `(${fn})(${JSON.stringify(arg ?? null)})`;
  const run = page.evaluate(
    `Promise.resolve().then(() => ${source}).then(
      (value) => ({ value }),
      (error) => ({ error: { name: error?.name, code: error?.code, message: error?.message ?? String(error) } }))`,
  );
  const { value, error } = await Promise.race([run, timeout]);
  if (error) throw Object.assign(new Error(error.message), { name: error.name ?? 'Error', code: error.code });
  return value;
}
