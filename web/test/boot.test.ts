import { expect, test } from 'vitest';
import { checkConfig } from '../src/boot';

const cid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
const capsule = { name: 'hash', url: 'hash.wasm', cid, bytes: 1 };

test.each([
  [{ kernel: 'k.wasm' }],
  [{ kernel: 'k.wasm', bootstrap: null, capabilities: null, capsules: null, name: null }],
  [
    {
      kernel: 'k.wasm',
      bootstrap: ['/ip4/nowhere'],
      capabilities: [],
      creditCost: 0,
      slots: -1,
      capsules: [capsule],
      more: {},
    },
  ],
])('%j is a configuration', (given) => {
  expect(checkConfig(given)).toBe(given);
});

test.each<[unknown, RegExp]>([
  [null, /no object/],
  [[], /no object/],
  ['k.wasm', /no object/],
  [{}, /names no kernel/],
  [{ kernel: 7 }, /names no kernel/],
  [{ kernel: 'k', bootstrap: '/ip4/1.2.3.4' }, /bootstrap must be an array of strings/],
  [{ kernel: 'k', bootstrap: [7] }, /bootstrap must be an array of strings/],
  [{ kernel: 'k', capabilities: 'gpu' }, /capabilities must be an array of strings, not "gpu"/],
  [{ kernel: 'k', name: {} }, /name must be a string/],
  [{ kernel: 'k', creditCost: 1.5 }, /creditCost must be a number/],
  [{ kernel: 'k', creditCost: -1 }, /creditCost must be a number/],
  [{ kernel: 'k', slots: '4' }, /slots must be a number/],
  [{ kernel: 'k', hedge: 'yes' }, /hedge must be true or false/],
  [{ kernel: 'k', near: 7 }, /near must be a string/],
  [{ kernel: 'k', capsules: {} }, /capsules must be an array/],
  [{ kernel: 'k', capsules: [null] }, /a capsule must have a name/],
  [{ kernel: 'k', capsules: [{ ...capsule, bytes: '1 kB' }] }, /of capsule "hash" the bytes must be a number of bytes/],
  [{ kernel: 'k', capsules: [{ ...capsule, url: undefined }] }, /a capsule must have a name, a url and a cid/],
  [{ kernel: 'k', capsules: [{ ...capsule, cid: 'nope' }] }, /capsule "hash" has no CID of a capsule: "nope"/],
  [{ kernel: 'k', capsules: [{ ...capsule, cid: `${cid.slice(0, -1)}v` }] }, /no CID of a capsule/],
  [{ kernel: 'k', capsules: [{ ...capsule, cid: cid.toUpperCase() }] }, /no CID of a capsule/],
])('%j is none', (given, why) => {
  expect(() => checkConfig(given)).toThrow(why);
});
