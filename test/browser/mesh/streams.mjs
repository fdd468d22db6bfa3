// The part of console.mjs that runs in the page: streams into and out of real capsules, and the
// reports of a spawn. Every check that fails throws.

/**
 * Feeds `mebibytes` into a slow capsule, here or on `node`, while the kernel's heap is
 * looked at; `delay` is how many turns of a loop each frame costs. Answers with what is
 * worth a line.
 */
export async function slowFeed({ mebibytes, delay, node }) {
  const check = (ok, what) => {
    if (!ok) throw new Error(what);
  };
  const CHUNK = 256 << 10;
  const bytes = mebibytes * (1 << 20);
  const { ledgerId } = await inos.status();
  const { capsuleId } = await inos.spawn('fault', { node, creditLedgerId: ledgerId });
  const sink = () => inos.call(capsuleId, 'sink', undefined, [String(delay)]);
  await sink();

  // The same bytes twice: as they are fed, and when their sum is made afterwards, for
  // that is slower than the capsule.
  const generator = () => {
    let x = 2463534242;
    return () => {
      const words = new Uint32Array(CHUNK / 4);
      for (let i = 0; i < words.length; i++) {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        words[i] = x;
      }
      return new Uint8Array(words.buffer);
    };
  };
  let jams = 0;
  const off = inos.on('broadcast', (event) => event.message === 'capsule:throttled' && event.jammed && jams++);
  let heap = 0;
  const chunk = generator();
  let left = bytes;
  const source = new ReadableStream(
    {
      async pull(controller) {
        if (left === 0) return controller.close();
        if (left === bytes || left % (16 * CHUNK) === 0) heap = Math.max(heap, (await inos.status()).heapBytes);
        controller.enqueue(chunk());
        left -= CHUNK;
      },
    },
    { highWaterMark: 0 },
  );
  const began = performance.now();
  const fed = await inos.feed(capsuleId, source);
  const seconds = (performance.now() - began) / 1000;
  const { text } = await sink();
  off();
  check(fed.bytes === bytes, `${fed.bytes} bytes were fed`);

  // FNV-1a of 64 bits, its two halves apart.
  let hi = 0xcbf29ce4;
  let lo = 0x84222325;
  const again = generator();
  for (let n = 0; n < bytes; n += CHUNK) {
    for (const byte of again()) {
      lo = (lo ^ byte) >>> 0;
      const low = lo * 0x1b3;
      hi = (hi * 0x1b3 + Math.floor(low / 0x100000000) + (lo << 8)) >>> 0;
      lo = low >>> 0;
    }
  }
  const sum = ((BigInt(hi) << 32n) | BigInt(lo)).toString(16);
  check(text === `${bytes} ${sum}`, `the capsule has ${text}, not ${bytes} ${sum}`);
  check(heap > 0 && heap < 64 << 20, `the kernel's heap was ${heap} bytes`);
  check(node || jams > 0, 'the capsule was never congested');
  await inos.kill(capsuleId);
  return `${mebibytes} MiB at ${(bytes / 1e6 / seconds).toFixed(0)} MB/s, heap at most ${(heap / (1 << 20)).toFixed(1)} MiB`;
}

/** What a spawn says of a capsule, and what the console hears of it and from it. */
export async function lives() {
  const check = (ok, what) => {
    if (!ok) throw new Error(what);
  };
  const refused = (promise) =>
    promise.then(
      () => 'nothing',
      (error) => error.code,
    );
  const heardOf = (type, is) =>
    new Promise((resolve) => {
      const off = inos.on(type, (event) => is(event) && (off(), resolve(event)));
    });
  let capsuleId;
  const run = (method, ...args) => inos.call(capsuleId, method, undefined, args);

  check(
    (await refused(inos.spawn('fault', { capabilities: ['threads', 'gpu'] }))) === 'capability_missing',
    'it has no gpu',
  );
  check((await refused(inos.spawn('fault', { restart: 'always' }))) === 'bad_argument', 'no such policy');
  ({ capsuleId } = await inos.spawn('fault', {
    args: ['one', 'zwei'],
    capabilities: ['threads'],
    restart: 'permanent',
  }));
  check((await run('args')).text === 'one\nzwei\n', 'it has its arguments');
  const again = heardOf('capsule', (event) => event.state === 'started' && event.restarts === 1);
  check((await refused(run('panic'))) !== 'nothing', 'it panics on demand');
  await again;
  check((await run('args')).text === 'one\nzwei\n', 'and has them after a restart');

  const grown = heardOf('capsule', (event) => event.id === capsuleId && event.memoryBytes >= 8 << 20);
  await run('hunger', String(8 << 20));
  check((await grown).memoryEpoch > 1, 'its memory is told of');

  // Its output, whole and in order, and no further than it is read.
  const FRAMES = 3000;
  const SIZE = 5000;
  const heard = await inos.listen(capsuleId);
  let emitted = false;
  const emitting = run('emit', String(FRAMES), String(SIZE)).then(() => (emitted = true));
  const all = new Uint8Array(FRAMES * SIZE);
  let at = 0;
  const reader = heard.getReader();
  while (at < all.length) {
    check(!emitted || all.length - at < 2 << 20, 'it was not held back');
    const { value } = await reader.read();
    all.set(value, at);
    at += value.length;
  }
  await emitting;
  for (let n = 0; n < FRAMES; n++) check((all[n * SIZE] | (all[n * SIZE + 1] << 8)) === n, `frame ${n} is not there`);
  await reader.cancel();
  await run('emit', '10', String(SIZE));
  check(
    (await inos.capsules()).find((row) => row.id === capsuleId).unheard === 10 * SIZE,
    'what nobody heard is counted',
  );
  check((await refused(inos.listen('nobody'))) === 'unknown_capsule', 'nobody says nothing');
  const last = refused((await inos.listen(capsuleId)).getReader().read());

  // A log line keeps its level: the SDK warns of a stream that nobody takes.
  const hash = await inos.spawn('hash');
  const warned = heardOf('log', (event) => event.id === hash.capsuleId);
  await inos.feed(hash.capsuleId, 'x');
  check((await warned).level === 'warn', 'as a warning');
  await inos.kill(hash.capsuleId);

  // An endless loop reaches no safe point: that is told, and no more by default.
  const overdue = heardOf('capsule', (event) => event.id === capsuleId && event.overdue === 'pause');
  const lost = [];
  for (;;) {
    lost.push(refused(run('spin')));
    if ((await refused(inos.pause(capsuleId))) === 'deadline') break;
    await inos.resume(capsuleId); // the pause came before the loop
  }
  check((await overdue).killed === false, 'it was not killed for that');
  await inos.kill(capsuleId);
  for (const [n, code] of (await Promise.all(lost)).entries()) {
    const came = code === 'capsule_killed' || (code === 'capsule_paused' && n < lost.length - 1);
    check(came, `of ${lost.length} calls of a loop, call ${n} ended as ${code}`);
  }
  check((await last) === 'capsule_killed', `the stream ends as the capsule did, not as ${await last}`);
}

/**
 * Spawns a capsule, listens to it, feeds it and kills it, `rounds` times, and never reads
 * or closes anything: nothing is left of those that are gone.
 */
export async function comeAndGo({ rounds }) {
  const check = (ok, what) => {
    if (!ok) throw new Error(what);
  };
  const began = performance.now();
  let heap;
  for (let n = 0; n < rounds; n++) {
    const { capsuleId } = await inos.spawn('wordcount');
    const unread = await inos.listen(capsuleId);
    await inos.feed(capsuleId, 'to be or not to be');
    const endless = inos
      .feed(capsuleId, new ReadableStream({ start: (c) => c.enqueue('x') }))
      .catch((error) => error.code);
    if (n % 100 === 0) check((await inos.call(capsuleId, 'total')).text.includes('words 6'), 'it counts');
    await inos.kill(capsuleId);
    check((await endless) === 'capsule_killed', `the stream into it ended as ${await endless}`);
    if (n % 100 === 0) {
      const end = await unread
        .getReader()
        .read()
        .catch((error) => error.code);
      check(end === 'capsule_killed', `the stream out of it ended as ${JSON.stringify(end)}`);
    }
    if (n === 100) heap = (await inos.status()).heapBytes;
  }
  const { heapBytes } = await inos.status();
  check(heapBytes < heap + (16 << 20), `the heap went from ${heap} to ${heapBytes}`);
  const listed = (await inos.capsules()).length; // 16 that have ended, and those whose threads are going
  check(listed <= 32, `${listed} are listed`);
  return `${rounds} capsules in ${Math.round((performance.now() - began) / rounds)} ms each, heap ${(heap / 2 ** 20).toFixed(1)} then ${(heapBytes / 2 ** 20).toFixed(1)} MiB`;
}
