// The verbs of the console API, each with its parameters and an example that runs.
import type { VerbHelp } from '../../kernel';
import { dispatchFields, publishFields, spawnFields } from '../fields';

/** The type of a parameter; `?` at the end makes it optional. */
export type Shape = Field | 'function' | 'source' | Record<string, Field>;
/** A `count` is a whole number from 1 on: 0 never means that there is no limit. A `level` is one from 0 to 255. */
export type Field = 'text' | 'bytes' | 'number' | 'count' | 'level' | 'texts' | 'flag';

export interface Param {
  name: string;
  shape: Shape | readonly Shape[];
  optional?: true;
}

export interface Verb {
  params: readonly Param[];
  does: string;
  example: string;
}

const id: Param = { name: 'capsuleId', shape: 'text' };

export const VERBS = {
  help: { params: [], does: 'prints the verbs', example: 'inos.help()' },
  status: { params: [], does: 'who this kernel is, its phases and counts', example: 'await inos.status()' },
  nodes: { params: [], does: 'the nodes of the mesh that are known', example: 'console.table(await inos.nodes())' },
  find: {
    params: [{ name: 'capability', shape: 'text' }],
    does: 'the nodes that the DHT has a record of for a capability, looked up now',
    example: `console.table(await inos.find('storage'))`,
  },
  capsules: { params: [], does: 'the capsules that run here', example: 'console.table(await inos.capsules())' },
  catalog: { params: [], does: 'the capsules that could run', example: 'console.table(await inos.catalog())' },
  jobs: { params: [], does: 'jobs past and running', example: 'console.table(await inos.jobs())' },
  spawn: {
    params: [
      { name: 'nameOrCid', shape: 'text' },
      { name: 'options', shape: spawnFields, optional: true },
    ],
    does: 'starts a capsule here, in a Worker of its own, or on another node',
    example: `const { capsuleId } = await inos.spawn('hash')`,
  },
  kill: { params: [id], does: 'ends a capsule', example: 'await inos.kill(capsuleId)' },
  pause: { params: [id], does: 'stops a capsule at its next safe point', example: 'await inos.pause(capsuleId)' },
  resume: { params: [id], does: 'lets a paused capsule go on', example: 'await inos.resume(capsuleId)' },
  resize: {
    params: [id, { name: 'bytes', shape: 'count' }],
    does: "grows a capsule's memory to so many bytes",
    example: 'await inos.resize(capsuleId, 8 << 20)',
  },
  snapshot: {
    params: [id],
    does: 'keeps the state of a paused capsule; spawn its CID to go on from there',
    example:
      'await inos.pause(capsuleId); const { snapshotCid } = await inos.snapshot(capsuleId); await inos.spawn(snapshotCid)',
  },
  feed: {
    params: [id, { name: 'data', shape: 'source' }],
    does: 'streams data, or a stream, into a capsule, here or on another node, no faster than it reads',
    example: `const { capsuleId } = await inos.spawn('wordcount'); await inos.feed(capsuleId, 'to be or not to be')`,
  },
  listen: {
    params: [id],
    does: 'the stream of what a capsule emits here from now on; read it or cancel it: it holds the capsule back',
    example: `for await (const bytes of await inos.listen(capsuleId)) console.log(bytes)`,
  },
  call: {
    params: [
      id,
      { name: 'method', shape: 'text' },
      { name: 'input', shape: 'bytes', optional: true },
      { name: 'args', shape: 'texts', optional: true },
    ],
    does: 'asks that very capsule of yours, here or on another node, and answers with its output',
    example:
      `const { capsuleId } = await inos.spawn('wordcount'); await inos.feed(capsuleId, 'to be or not to be'); ` +
      `(await inos.call(capsuleId, 'total')).text`,
  },
  dispatch: {
    params: [{ name: 'job', shape: dispatchFields }],
    does: 'runs a job on the best node of the mesh',
    example:
      `const { ledgerId } = await inos.status(); ` +
      `(await inos.dispatch({ capsule: 'hash', method: 'sha256', input: 'hello', requires: ['storage'], creditLedgerId: ledgerId })).text`,
  },
  cancel: {
    params: [{ name: 'jobId', shape: 'text' }],
    does: 'ends a job that waits or runs, wherever it is',
    example: 'await inos.cancel((await inos.jobs())[0].id)',
  },
  explain: {
    params: [{ name: 'job', shape: ['text', dispatchFields] }],
    does: 'why a job runs, ran or waits where it does, or where one would run',
    example: `console.table((await inos.explain((await inos.jobs())[0].id)).considered)`,
  },
  publish: {
    params: [
      { name: 'name', shape: 'text' },
      { name: 'wasm', shape: 'bytes' },
      { name: 'options', shape: publishFields, optional: true },
    ],
    does: 'makes a capsule of your own known to this kernel, under a name that no other has',
    example: `await inos.publish('mine', await (await fetch('/mine.wasm')).arrayBuffer())`,
  },
  why: {
    params: [{ name: 'jobId', shape: 'text', optional: true }],
    does: 'which rule admitted or rejected a job; without an id, the latest decisions',
    example: 'console.table(await inos.why())',
  },
  trace: {
    params: [{ name: 'jobId', shape: 'text' }],
    does: "a job's spans, on every node that had part in it",
    example: 'console.table(await inos.trace((await inos.jobs())[0].id))',
  },
  ledger: {
    params: [
      { name: 'what', shape: 'text', optional: true },
      { name: 'amount', shape: ['number', 'text'], optional: true },
      { name: 'ledgerId', shape: 'text', optional: true },
    ],
    does: `the credit kept here: 'balance', 'history', 'export' or 'verify'; 'grant', 'withdraw', 'line', 'revoke' and 'restore' change it`,
    example: `console.table(await inos.ledger('history'))`,
  },
  policy: {
    params: [{ name: 'text', shape: 'text', optional: true }],
    does: 'the policy in force; with a text, what that policy would have decided about past jobs',
    example: 'console.log(await inos.policy())',
  },
  enforce: {
    params: [{ name: 'text', shape: 'text' }],
    does: 'puts a policy of a higher version in force, and keeps it',
    example: `await inos.enforce('policy "careful"\nversion 1\nbudget 0.5\nconcurrency 4\n')`,
  },
  connect: {
    params: [{ name: 'multiaddr', shape: 'text' }],
    does: 'dials a node',
    example: `await inos.connect('/ip4/127.0.0.1/udp/4001/quic-v1/webtransport/certhash/.../p2p/12D3KooW...')`,
  },
  on: {
    params: [
      { name: 'type', shape: 'text' },
      { name: 'callback', shape: 'function' },
    ],
    does: `calls back for events of a type, or '*'; returns how to stop`,
    example: `const off = inos.on('heartbeat', (event) => console.log(event))`,
  },
  close: { params: [], does: 'ends the kernel and its capsules', example: 'await inos.close()' },
} as const satisfies Record<string, Verb>;

export type VerbName = keyof typeof VERBS;

export const VERB_NAMES = Object.keys(VERBS) as VerbName[];

export function helpRows(): VerbHelp[] {
  return VERB_NAMES.map((verb) => ({ verb, does: VERBS[verb].does, example: VERBS[verb].example }));
}

/** Prints the verbs for a devtools console. */
export function printHelp(rows: VerbHelp[]): void {
  const bold = 'font-weight:600';
  const dim = 'opacity:.7';
  const lines = rows.map(({ verb, does, example }) => `%cinos.${verb}%c  ${does}\n    %c${example}%c`);
  console.log(
    `%cINOS kernel%c  everything returns a Promise; errors are InosError {name, code, message}\n\n${lines.join('\n')}`,
    'font-weight:700;font-size:1.1em',
    '',
    ...rows.flatMap(() => [bold, '', dim, '']),
  );
}
