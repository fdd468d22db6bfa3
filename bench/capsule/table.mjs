// Turns the figures of a run into a table with the goals of the design beside them.
export function table(figures) {
  const get = (what, by) => {
    const f = figures.find((f) => f.What === what && (by instanceof RegExp ? by.test(f.By) : f.By === by));
    if (!f) throw new Error(`no figure ${what} by ${by}`);
    return f;
  };
  const us = (ms) =>
    ms < 0.002 ? `${(ms * 1000).toFixed(2)} µs` : ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(1)} ms`;
  const rows = [];
  const row = (...cells) => rows.push(cells);
  const verdict = (ok) => (ok ? 'met' : '**missed**');

  const inos = get('command', 'inos');
  row('Command, kernel to capsule and back', us(inos.P50), us(inos.P99), '', '', '');
  const plain = get('command', 'atomics');
  row(
    '– plain JavaScript, Atomics.wait/waitAsync',
    us(plain.P50),
    us(plain.P99),
    `${(inos.P50 / plain.P50).toFixed(2)} × its time`,
    'at most 1.5 ×',
    verdict(inos.P50 <= 1.5 * plain.P50),
  );
  for (const by of ['postMessage', 'comlink']) {
    const p = get('command', by);
    row(
      `– ${by}`,
      us(p.P50),
      us(p.P99),
      `${(p.P50 / inos.P50).toFixed(2)} × as fast`,
      'at least 3 ×',
      verdict(p.P50 >= 3 * inos.P50),
    );
  }
  const floor = get('command', 'spinning');
  row(
    '– plain JavaScript that looks for 30 µs before it sleeps: the floor',
    us(floor.P50),
    us(floor.P99),
    `${(inos.P50 / floor.P50).toFixed(1)} × its time`,
    '',
    '',
  );
  const native = get('command', 'native');
  row('– under wazero, natively', us(native.P50), us(native.P99), '', '', '');
  const paced = get('paced', 'inos');
  row('Command after 3 ms of silence, both threads asleep', us(paced.P50), us(paced.P99), '', '', '');
  for (const [by, name] of [
    ['atomics', 'plain JavaScript, Atomics.wait/waitAsync'],
    ['postMessage', 'postMessage'],
    ['comlink', 'comlink'],
  ]) {
    const p = get('paced', by);
    row(`– ${name}`, us(p.P50), us(p.P99), `${(paced.P50 / p.P50).toFixed(2)} × its time`, '', '');
  }

  const rate = (f) => `${(f.Value / 1e6).toFixed(2)} M/s`;
  const one = get('events', 'one capsule'),
    many = get('events', /^\d+ capsules$/),
    allocs = get('events', 'our allocations'),
    wakeups = get('events', "Go's own allocations");
  row('64-byte events into Go, one capsule', rate(one), '', '', 'at least 1 M/s', verdict(one.Value >= 1e6));
  row(
    '– allocations a frame, ours',
    (allocs.Value ?? 0).toFixed(5),
    '',
    '',
    '0 in steady state (one in a million: the batch buffer grew)',
    verdict((allocs.Value ?? 0) < 0.00001),
  );
  row(
    "– allocations a frame, of Go's runtime: two a wake-up by JavaScript",
    (wakeups.Value ?? 0).toFixed(4),
    '',
    '',
    '',
    '',
  );
  row(
    `– ${many.By} at once, in total`,
    rate(many),
    '',
    `${((100 * many.Value) / one.Value).toFixed(0)} % of one`,
    'at least 70 %',
    verdict(many.Value >= 0.7 * one.Value),
  );
  row('– under wazero, natively', rate(get('events', 'native')), '', '', '', '');

  const mine = get('payload', 'inos');
  row('64 MiB handed to a capsule', us(mine.P50), us(mine.P99), '', '', '');
  const copy = get('payload', 'memcpy to shared memory'),
    inGo = get('payload', 'memcpy in Go'),
    small = get('payload', '64 bytes');
  row(
    '– the same slice by memcpy, from Go into a SharedArrayBuffer',
    us(copy.P50),
    us(copy.P99),
    `${((100 * copy.P50) / mine.P50).toFixed(0)} % of its rate`,
    'at least 80 %',
    verdict(copy.P50 >= 0.8 * mine.P50),
  );
  row(
    '– the same slice by memcpy, within Go',
    us(inGo.P50),
    us(inGo.P99),
    `${((100 * inGo.P50) / mine.P50).toFixed(0)} % of its rate`,
    '',
    '',
  );
  row('– a job with 64 bytes of input', us(small.P50), us(small.P99), '', '', '');

  const spawn = get('spawn', 'inos'),
    cold = get('spawn', 'no spare'),
    bare = get('spawn', 'bare Worker'),
    wazero = get('spawn', 'native');
  row(
    'Spawn to first heartbeat, cached module, on a Worker that waits',
    us(spawn.P50),
    us(spawn.P99),
    '',
    'at most 30 ms',
    verdict(spawn.P50 <= 30),
  );
  row('– on a new Worker', us(cold.P50), us(cold.P99), '', 'at most 30 ms', verdict(cold.P50 <= 30));
  row(
    '– a bare Worker to its first message',
    us(bare.P50),
    us(bare.P99),
    `${(cold.P50 / bare.P50).toFixed(2)} × its time, on a new one`,
    '',
    '',
  );
  row('– under wazero, natively', us(wazero.P50), us(wazero.P99), '', 'at most 5 ms', verdict(wazero.P50 <= 5));

  return [
    '| | p50 or value | p99 | ours beside it | goal | |',
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...rows.map((r) => `| ${r.join(' | ')} |`),
  ];
}
