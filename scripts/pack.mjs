// Packs what a browser loads into one folder, ready to be served:
//
//   node scripts/pack.mjs --web build/web --kernel build/kernel.wasm --capsules build/capsules --out dist
//
// kernel.wasm and the capsules get their content's hash into their names, every
// compressible file gets a .br (brotli 11, window 2^24) and a .gz beside it, and build.json
// says what is there. Compressing the kernel takes about a minute, so results are
// kept by content outside the checkout: INOS_CACHE, else ~/.cache/inos.
// --except NAME leaves a capsule out: those that are for tests of hosts only.
// With --warm FILE it only compresses that file into the cache, so that the kernel
// can be compressed while the rest is still being built.
// INOS_BROTLI=5 trades size for speed while developing.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, sep } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const QUALITY = Number(process.env.INOS_BROTLI ?? 11);
const CODINGS = [
  {
    name: 'brotli',
    suffix: '.br',
    level: `q${QUALITY}-w24`,
    compress: (bytes) =>
      promisify(brotliCompress)(bytes, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: QUALITY,
          [constants.BROTLI_PARAM_LGWIN]: 24,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      }),
  },
  { name: 'gzip', suffix: '.gz', level: '9', compress: (bytes) => promisify(gzip)(bytes, { level: 9 }) },
];
const KEPT_RESULTS = 128; // newest compressed results kept in the cache
const COMPRESSIBLE = /\.(wasm|js|css|html|json|svg|txt)$/;

const { values: options } = parseArgs({
  options: {
    web: { type: 'string', default: 'build/web' },
    kernel: { type: 'string', default: 'build/kernel.wasm' },
    capsules: { type: 'string', default: 'build/capsules' },
    out: { type: 'string', default: 'dist' },
    warm: { type: 'string' },
    except: { type: 'string', multiple: true, default: [] },
  },
});
const cache = join(
  process.env.INOS_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'inos'),
  'brotli',
);

const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

/** A CIDv1 of raw bytes: version 1, codec raw, sha2-256, in base32. */
function cidOf(digest) {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  const bits = [...Buffer.concat([Buffer.from([0x01, 0x55, 0x12, 32]), digest])]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  return (
    'b' +
    bits
      .match(/.{1,5}/g)
      .map((five) => alphabet[parseInt(five.padEnd(5, '0'), 2)])
      .join('')
  );
}

async function* filesIn(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

/** The files of the package: their source, their path in it, and whether their name is their content's hash. */
async function gather() {
  const files = [];
  for await (const from of filesIn(options.web)) {
    const path = relative(options.web, from).split(sep).join('/');
    files.push({ from, path, immutable: path.startsWith('assets/') });
  }
  const kernel = await named(options.kernel, (hash) => `kernel.${hash}.wasm`);
  files.push(kernel);
  const capsules = [];
  for (const file of (await readdir(options.capsules)).filter((name) => name.endsWith('.wasm')).sort()) {
    const name = basename(file, '.wasm');
    if (options.except.includes(name)) continue;
    const capsule = await named(join(options.capsules, file), (hash) => `capsules/${name}.${hash}.wasm`);
    files.push(capsule);
    capsules.push({ name, ...capsule });
  }
  return { files, kernel, capsules };
}

async function named(from, path) {
  const digest = sha256(await readFile(from));
  return { from, path: path(digest.toString('hex').slice(0, 16)), immutable: true, cid: cidOf(digest) };
}

/** Writes the file and its compressed forms; returns its line of build.json. */
async function place({ from, path, immutable }) {
  const to = join(options.out, path);
  await mkdir(dirname(to), { recursive: true });
  const bytes = await readFile(from);
  const digest = sha256(bytes).toString('hex');
  await copyFile(from, to);
  const line = { path, bytes: bytes.length, brotli: 0, gzip: 0, sha256: digest, immutable };
  if (!COMPRESSIBLE.test(path) || bytes.length < 256) return line;
  for (const coding of CODINGS) {
    const packed = await compressed(coding, bytes, digest, path);
    await copyFile(packed, to + coding.suffix);
    line[coding.name] = (await stat(packed)).size;
  }
  return line;
}

/** The path of the bytes in a coding: from the cache, or compressed now. */
async function compressed({ name, suffix, level, compress }, bytes, digest, path) {
  const kept = join(cache, `${digest}-${level}${suffix}`);
  try {
    const now = new Date();
    await utimes(kept, now, now);
    return kept;
  } catch {
    if (bytes.length > 1 << 20) console.error(`pack: compressing ${path} (${mb(bytes.length)} MB) by ${name}, once`);
  }
  const packed = await compress(bytes);
  await mkdir(cache, { recursive: true });
  const fresh = `${kept}.${process.pid}`;
  await writeFile(fresh, packed);
  await rename(fresh, kept); // whole or not at all, also with two packers at once
  return kept;
}

async function prune() {
  const results = await Promise.all(
    (await readdir(cache).catch(() => [])).map(async (name) => ({ name, at: (await stat(join(cache, name))).mtimeMs })),
  );
  results.sort((a, b) => b.at - a.at);
  for (const { name } of results.slice(KEPT_RESULTS)) await rm(join(cache, name), { force: true });
}

const mb = (bytes) => (bytes / 1e6).toFixed(2);

if (options.warm) {
  const bytes = await readFile(options.warm);
  const digest = sha256(bytes).toString('hex');
  for (const coding of CODINGS) await compressed(coding, bytes, digest, options.warm);
  process.exit();
}

const { files, kernel, capsules } = await gather();
await mkdir(options.out, { recursive: true });
const lines = await Promise.all(files.map(place));
const lineOf = (path) => lines.find((line) => line.path === path);
const build = {
  kernel: { path: kernel.path, bytes: lineOf(kernel.path).bytes, brotli: lineOf(kernel.path).brotli },
  capsules: capsules.map(({ name, path, cid }) => ({
    name,
    path,
    cid,
    bytes: lineOf(path).bytes,
    brotli: lineOf(path).brotli,
  })),
  files: lines.sort((a, b) => (a.path < b.path ? -1 : 1)),
};

// The list goes last, so that a package it names is complete.
const wanted = new Set([
  ...lines.flatMap(({ path, brotli }) => (brotli ? [path, ...CODINGS.map(({ suffix }) => path + suffix)] : [path])),
  'build.json',
]);
await writeFile(join(options.out, 'build.json.new'), `${JSON.stringify(build, null, 2)}\n`);
await rename(join(options.out, 'build.json.new'), join(options.out, 'build.json'));
for await (const file of filesIn(options.out)) {
  if (!wanted.has(relative(options.out, file).split(sep).join('/'))) await rm(file);
}
await prune();

console.log(
  `pack: ${options.out}: kernel.wasm ${mb(build.kernel.bytes)} MB, brotli ${mb(build.kernel.brotli)} MB; ` +
    `capsules ${capsules.map(({ name, path }) => `${name} ${(lineOf(path).bytes / 1e3).toFixed(1)} kB`).join(', ') || 'none'}`,
);
