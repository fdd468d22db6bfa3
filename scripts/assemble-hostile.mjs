// Assembles the hostile capsules, capsules/hostile/*.wat, to build/capsules/hostile/.
// Each is put behind prelude.wat, unless it is a module of its own. None is
// validated: one of them is not valid.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const root = new URL('../', import.meta.url);
const { parseWat } = await createRequire(new URL('web/package.json', root))('wabt')();
const from = new URL('capsules/hostile/', root);
const to = new URL('build/capsules/hostile/', root);
rmSync(to, { recursive: true, force: true }); // an older commit's, too
mkdirSync(to, { recursive: true });
const read = (name) => readFileSync(new URL(name, from), 'utf8');
const prelude = read('prelude.wat');
let n = 0;
for (const file of readdirSync(from).filter((f) => f.endsWith('.wat') && f !== 'prelude.wat')) {
  const text = read(file);
  const source = /^\(module\b/m.test(text) ? text : `(module ${prelude}\n${text})`;
  const module = parseWat(file, source, { threads: true });
  writeFileSync(new URL(file.replace(/wat$/, 'wasm'), to), module.toBinary({}).buffer);
  module.destroy();
  n++;
}
console.log(`${n} hostile capsules assembled`);
