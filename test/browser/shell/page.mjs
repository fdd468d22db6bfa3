// A test of the shell: a page of its own in one Chromium, served as the test says.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { launchChromium, openPage } from '../lib/chromium.mjs';
import { serveSpoiled } from '../lib/spoiled.mjs';

export const browser = await launchChromium();
/** The number of tests that have passed and failed. */
export const count = { passed: 0, failed: 0 };

/** Opens the shell as `given` serves it and runs `body`; `only` on the command line picks tests. */
export async function test(name, given, body) {
  const only = process.argv.slice(2);
  if (only.length > 0 && !only.some((part) => name.includes(part))) return;
  const server = await serveSpoiled(given);
  const page = await openPage(browser);
  try {
    if (given.before) await page.addInitScript(given.before);
    await page.goto(server.url + (given.query ?? ''));
    await body(page, server);
    count.passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    count.failed++;
    console.log(`FAIL ${name}\n     ${error.message}\n     ${page.log.slice(-15).join('\n     ')}`);
  } finally {
    await page.context().close();
    await server.close();
  }
}

export function equal(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

export const wasm = (...sections) => Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, ...sections]);
export const NAMED = (text) => [text.length, ...Buffer.from(text)];

// One function type, one import of that type.
export const IMPORTS = (module, name) => {
  const entry = [...NAMED(module), ...NAMED(name), 0x00, 0x00];
  return wasm(1, 4, 1, 0x60, 0, 0, 2, entry.length + 1, 1, ...entry);
};

/** The address of a node at `port` of this machine: well formed, but no node's. */
export const nobody = (port) =>
  `/ip4/127.0.0.1/udp/${port}/quic-v1/webtransport/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA`;
// A socket that takes every datagram and answers none: dialling it stays pending.
export const silent = createSocket('udp4').bind(0, '127.0.0.1');
await once(silent, 'listening');
