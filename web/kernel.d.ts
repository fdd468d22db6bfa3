// The console API of the INOS kernel: one object, `inos`, on the page and in the
// kernel's Worker. This file is the contract between the shell (web/src), the
// kernel's bridge (internal/bridge) and whoever types into a devtools console.
//
// Every verb returns a Promise of plain data (arrays of flat objects, so that
// console.table reads well) or rejects with an InosError. Nothing hangs: when the
// kernel is closed, killed or crashes, everything pending rejects. Units: times
// in milliseconds, sizes in bytes, money in microcredits (1e-6 credit).

import type { InosErrorCode, KernelErrorCode } from './codes';
import type { KernelEvent, KernelEvents } from './events';

/** Errors of the console API. `code` is stable, `message` is for people. */
export interface InosError extends Error {
  name: 'InosError';
  code: InosErrorCode | KernelErrorCode | (string & {});
  /** Whether the same call may succeed later. */
  retryable: boolean;
}

export type { InosErrorCode, KernelErrorCode } from './codes';
export type * from './events';

export interface KernelInfo {
  peerId: string;
  /** The ledger this kernel's own key controls: `ledger:` and the peer id. */
  ledgerId: string;
  name: string;
  version: string;
  /** Whether key and ledger outlast this tab. When false, both are new and go with it; `durableReason` says why. */
  durable: boolean;
  /** Empty when durable. */
  durableReason: StorageReason;
  /** The same in the browser's own words. */
  durableDetail: string;
}

/**
 * Why key and ledger last as long as the tab: another tab of this browser has them open; the browser keeps no files for
 * this page, as in a private window; it lacks what is needed; this site's storage was full at the start; or what is kept
 * does not verify, and was left as it is.
 */
export type StorageReason = '' | 'second_tab' | 'storage_refused' | 'storage_unsupported' | 'storage_full' | 'storage_damaged';

/** One step of the boot; `at` counts from the navigation's start. */
export interface Phase {
  name: PhaseName;
  at: number;
  detail: string;
}
export type PhaseName = 'page' | 'worker' | 'fetched' | 'compiled' | 'started' | 'ready' | 'joined';

export interface Status extends KernelInfo {
  /** 'joined' as long as it has a peer. */
  state: 'ready' | 'joined';
  uptimeMs: number;
  /** Peers connected now, and profiles known. */
  peers: number;
  nodes: number;
  capsules: number;
  jobs: number;
  capabilities: string[];
  bootstrap: string[];
  phases: Phase[];
  /** Navigation start to a ready kernel and to its first peer; null when not reached. */
  readyMs: number | null;
  joinedMs: number | null;
  /** How far this machine's clock is ahead of the middle one of the connected peers' (negative: behind); null until one has been measured. */
  clockOffsetMs: number | null;
  /** Whether this node takes jobs of other nodes: it does not for an active user or a low battery. */
  mining: boolean;
  /** How fine the sensors run: it sinks when a capsule is congested. */
  fidelity: string;
  /** Go's heap in bytes. */
  heapBytes: number;
  /** What this kernel keeps for jobs, its own and others', in bytes. */
  memory: MemoryUse;
}

/** Bytes taken of a budget, before they are used; what finds none left is refused (`node_memory`). */
export interface MemoryUse {
  /** Of all together. Memories of capsules are the browser's to bound and are not in it. */
  limit: number;
  /** Capsules that are kept, and those on their way here. */
  library: number;
  snapshots: number;
  /** Of jobs and calls, on their way here and until they have run. */
  inputs: number;
  /** Of jobs and calls of other nodes, until they are sent. */
  outputs: number;
}

export interface NodeRow {
  peerId: string;
  name: string;
  kind: 'native' | 'browser' | (string & {});
  self: boolean;
  connected: boolean;
  capabilities: string[];
  latencyMs: number;
  /** Microcredits per second of capsule time. */
  creditCost: number;
  score: number;
  freeSlots: number;
  queue: number;
  geohash: string;
  /** Measured here, estimated from the two nodes' network coordinates, or at worst what the node claims. */
  latencyFrom: 'ping' | 'coordinate' | 'claim' | 'self';
  addr: string;
  expiresInMs: number;
  /** Whether it may get a job from here now, as far as the job's own requirements allow. */
  eligible: boolean;
  /** Why not: 'cannot be dialled from here, and is not connected', 'no free slot', ... Empty when eligible. */
  reason: string;
}

/** A node that the DHT has a provider record of. */
export interface FoundRow extends NodeRow {
  /** Whether it was known here before, by gossip or from an earlier lookup. */
  heard: boolean;
}

export interface CapsuleRow {
  id: string;
  name: string;
  cid: string;
  state: string; // starting, healthy, degraded, paused, zombie, stopped, failed
  memoryBytes: number;
  memoryEpoch: number;
  cpuMs: number;
  jobsDone: number;
  heartbeats: number;
  /** Age of the last heartbeat. */
  heartbeatAgeMs: number;
  restarts: number;
  congested: boolean;
  /** Bytes it emitted while nobody listened: they are gone. */
  unheard: number;
  reason: string;
}

/** A capsule this kernel can spawn or send out. */
export interface CapsuleOffer {
  name: string;
  cid: string;
  bytes: number;
  /** Whether its bytes are here already. */
  loaded: boolean;
}

export interface JobRow {
  id: string;
  capsule: string;
  method: string;
  state: 'queued' | 'placed' | 'done' | 'failed' | 'cancelled' | (string & {});
  node: string;
  nodeName: string;
  score: number;
  inputBytes: number;
  outputBytes: number;
  cost: number;
  totalMs: number;
  reason: string;
}

/** One node as the scheduler saw it when it chose. */
export interface Considered {
  peerId: string;
  name: string;
  capabilities: string[];
  latencyMs: number;
  creditCost: number;
  /** 0 when a hard requirement ruled the node out. */
  score: number;
  eligible: boolean;
  chosen: boolean;
  /** Why not, or why: 'misses capabilities', 'highest score', ... */
  reason: string;
  /** Every part of the score, in words; empty for a node that was ruled out. */
  parts: string;
}

export interface PublishOptions {
  /** Gives the name to this capsule also when another one has it, which is known by its CID only from then on. */
  replace?: boolean;
}

export interface SpawnOptions {
  /** Most memory the capsule may ever have, in bytes; what the module declares when absent. */
  memoryLimit?: number;
  /** What it may use: refused unless the node has (`capability_missing`) and allows (`capability_denied`) every one. */
  capabilities?: string[];
  /** `inos_sdk::args()` of the capsule, through all its restarts. */
  args?: string[];
  creditLedgerId?: string;
  /** When it is started again: always, when it crashed (the default) or never. */
  restart?: 'permanent' | 'transient' | 'temporary';
  /** A name, this spawner's own: too many restarts of one member end them all. */
  group?: string;
  /** Of the group, the same for every member: who is started again with one that is; 'one-for-one' when absent. */
  strategy?: 'one-for-one' | 'rest-for-one';
  /** Peer id of the node to start it on, which must allow it (its policy's `lifecycle` rules); here when absent. */
  node?: string;
}

/** A stream for inos.feed; the chunks of one that has chunks may be of any length. */
export type FeedSource =
  | string
  | ArrayBufferView
  | ArrayBufferLike
  | Blob
  | ReadableStream<unknown>
  | AsyncIterable<unknown>;

export interface DispatchOptions {
  /** Name or CID. */
  capsule: string;
  /** The capsule's own default when absent. */
  method?: string;
  /** Text is sent as UTF-8. */
  input?: string | Uint8Array | ArrayBuffer;
  args?: string[];
  /** Capabilities the node must have, every one: words of lower-case letters, digits, `-`, `_` and `.`. */
  requires?: string[];
  /**
   * The most the job may cost, in microcredits: a whole number from 1 on, and so much is held while it runs, or what it can
   * cost until its deadline. Absent: what such runs usually cost at the node's price is held, and a run that takes longer is
   * paid and repeated with more.
   */
  budget?: number;
  /** The most the node may charge, in microcredits a second; from 1 on. */
  maxCost?: number;
  /** GeoHash prefix the node must lie in. */
  geo?: string;
  /** 0 lowest, 255 highest. */
  priority?: number;
  /**
   * How long it may take from this call on, waiting included; from 1 on. The error of one that has passed (`deadline`) says how
   * long the job waited, for what, and how long it ran. Absent: it has the time it needs.
   */
  deadlineMs?: number;
  /** Who pays. A job without one is rejected. */
  creditLedgerId?: string;
  /** Run it on so many distinct nodes; accepted once `agree` of them give the same output. */
  replicas?: number;
  /** Absent means a majority of `replicas`. */
  agree?: number;
  /** W3C Trace Context of what asks: the job's spans become its children. A trace of its own when absent. */
  traceParent?: string;
}

export interface DispatchResult {
  jobId: string;
  node: string;
  nodeName: string;
  /** True when it ran in this browser. */
  local: boolean;
  score: number;
  considered: Considered[];
  /** Why that node. */
  why: string;
  output: Uint8Array;
  /** The output as text, when it is UTF-8; otherwise hex. */
  text: string;
  outputCid: string;
  /** In microcredits, of all runs that were paid for. */
  cost: number;
  /** True when the node's signed receipt was checked and settled. */
  paid: boolean;
  /** Bytes of capsule that had to travel for this job. */
  capsuleBytes: number;
  attempts: number;
  queuedMs: number;
  runMs: number;
  totalMs: number;
}

export interface CallResult {
  capsuleId: string;
  output: Uint8Array;
  /** The output as text, when it is UTF-8; otherwise hex. */
  text: string;
  /** On the capsule's node, its waiting for its turn included. */
  runMs: number;
}

export interface Explanation {
  jobId: string;
  chosen: string;
  summary: string;
  considered: Considered[];
}

/** Why governance let a job in, or did not. */
export interface DecisionRow {
  jobId: string;
  admitted: boolean;
  rule: string;
  /** Empty when admitted. */
  code: string;
  detail: string;
  policyVersion: number;
  at: string;
  ledger: string;
  /** Peer id of who sent it; empty for this console. */
  from: string;
}

/** One step of a job, on one node. */
export interface SpanRow {
  name: string;
  node: string;
  /** Counted from the first span. */
  startMs: number;
  durationMs: number;
  code: string;
  /** W3C trace id: the same on every node. */
  trace: string;
  span: string;
  parent: string;
}

export interface BalanceRow {
  ledger: string;
  own: boolean;
  /** Negative: owed on the credit line. */
  balance: number;
  /** By its owner's cheques, and not redeemed: that much less is available. */
  promised: number;
  held: number;
  line: number;
  available: number;
  state: 'open' | 'revoked' | 'stranger';
}

export interface LedgerEntry {
  entry: number;
  at: string;
  /** `let-go`: this entry and all before it are not kept any more; of it there are the number, the time and the hash. */
  kind: string;
  amount: number;
  cost: number;
  jobId: string;
  ledger: string;
  payee: string;
  hash: string;
}

export interface LedgerReport {
  ok: true;
  /** Those let go among them. */
  entries: number;
  /** How many have been let go, the oldest: the others were verified, from the state that was kept of these. */
  gone: number;
  /** The hash of the newest of those, empty when there are none. */
  before: string;
  head: string;
  ledgers: number;
  held: number;
  holds: number;
  owed: number;
  granted: number;
  /** False in a tab whose ledger lasts only as long as the tab. */
  durable: boolean;
}

export interface LifecycleReply {
  /** Of a capsule on another node: its peer id, a slash, its id there. Every verb takes it as it is. */
  capsuleId: string;
  code: string;
  message: string;
  memoryBytes: number;
  memoryEpoch: number;
  /** Of inos.snapshot; otherwise empty. */
  snapshotCid: string;
}

export interface VerbHelp {
  verb: string;
  does: string;
  example: string;
}

export interface Inos {
  /** Settles once: the kernel is up, or an InosError says why it cannot be. */
  readonly ready: Promise<KernelInfo>;
  /** Settles once: the kernel has its first peer, or `bootstrap_unreachable`. What comes later the events say. */
  readonly joined: Promise<Status>;
  help(): Promise<VerbHelp[]>;
  status(): Promise<Status>;
  nodes(): Promise<NodeRow[]>;
  /**
   * Looks a capability up in the DHT now: the nodes with a provider record for it that answer and still have it. What
   * only gossip has told is not among them; inos.nodes() has all that is known.
   */
  find(capability: string): Promise<FoundRow[]>;
  capsules(): Promise<CapsuleRow[]>;
  /** The capsules this kernel knows and could run. */
  catalog(): Promise<CapsuleOffer[]>;
  jobs(): Promise<JobRow[]>;
  spawn(nameOrCid: string, options?: SpawnOptions): Promise<LifecycleReply>;
  kill(capsuleId: string): Promise<LifecycleReply>;
  pause(capsuleId: string): Promise<LifecycleReply>;
  resume(capsuleId: string): Promise<LifecycleReply>;
  resize(capsuleId: string, bytes: number): Promise<LifecycleReply>;
  /** Of a paused capsule; spawn(snapshotCid) goes on where it stood, here or on another node. */
  snapshot(capsuleId: string): Promise<LifecycleReply>;
  /**
   * Resolves once all of it is in the capsule, here or on another node: it is fed, and
   * a stream is read, no faster than the capsule reads. Chunks of a stream are bytes or
   * strings. A stream that fails, or whose capsule ends, is cut short and cancelled.
   */
  feed(capsuleId: string, data: FeedSource): Promise<{ capsuleId: string; bytes: number }>;
  /**
   * What a capsule of this kernel emits from now on. It holds the capsule back while
   * nobody reads: read it, or cancel it. It fails as the capsule ended.
   */
  listen(capsuleId: string): Promise<ReadableStream<Uint8Array>>;
  /**
   * Asks a capsule that this kernel spawned, here or on another node: that very instance, with what it was fed and
   * what it was asked before. One call at a time, in order; 64 more wait (`too_many_calls` beyond). Its time is paid as long as it lives, so a call
   * costs nothing of its own. It ends with the policy's limit on a run (`deadline`). Nobody else's capsule can be
   * called (`denied`).
   */
  call(capsuleId: string, method: string, input?: string | Uint8Array | ArrayBuffer, args?: string[]): Promise<CallResult>;
  /**
   * Runs a job. 1,024 are in flight at most; more wait here in order, without a job id yet, until what waits holds 512 MiB
   * (`too_many_calls`).
   */
  dispatch(job: DispatchOptions): Promise<DispatchResult>;
  /** Ends a job that is waiting or running, wherever it is: its dispatch rejects with `cancelled`. */
  cancel(jobId: string): Promise<{ jobId: string }>;
  /** Of a job by its id, from its first moment on and after its end, or of one that has not been sent. */
  explain(job: string | DispatchOptions): Promise<Explanation>;
  /**
   * Makes a capsule known to this kernel, as long as it lives; it is inspected first. A name is 1 to 64 letters, digits, `-` and `_`, the first of them a
   * letter or a digit (`bad_name`); one that other bytes have is refused (`name_taken`). The same bytes may be published again.
   */
  publish(name: string, wasm: Uint8Array | ArrayBuffer, options?: PublishOptions): Promise<{ name: string; cid: string; bytes: number }>;
  /** The decision about a job, or the latest ones, newest first. */
  why(jobId: string): Promise<DecisionRow>;
  why(): Promise<DecisionRow[]>;
  /** In order of start; each node's clock is its own. */
  trace(jobId: string): Promise<SpanRow[]>;
  ledger(what?: 'balance'): Promise<BalanceRow[]>;
  /** The newest 200 entries of the verified log, or all that is kept of it; oldest first. One of kind `let-go` says that there were more. */
  ledger(what: 'history' | 'export'): Promise<LedgerEntry[]>;
  /** Replays what is kept of the log and checks every hash; rejects with `log_corrupt` and the entry's number. */
  ledger(what: 'verify'): Promise<LedgerReport>;
  /**
   * Gives to a ledger on this node's books, takes back, or sets its credit line; in microcredits. By default its
   * own ledger: what its allowance and its earnings do not cover. Answers the balances.
   */
  ledger(what: 'grant' | 'withdraw' | 'line', amount: number, ledgerId?: string): Promise<BalanceRow[]>;
  /** A revoked ledger pays for nothing new here, until it is restored. */
  ledger(what: 'revoke' | 'restore', ledgerId: string): Promise<BalanceRow[]>;
  /** The policy in force, as text, with every default that it means. */
  policy(): Promise<string>;
  /** A dry run: what a policy would have decided about the jobs remembered. Puts nothing in force. */
  policy(text: string): Promise<{ looked: number; changes: { jobId: string; before: string; after: string }[] }>;
  /**
   * Puts a policy in force, whole or not at all, and keeps it for later visits. Its
   * version must be higher than the one in force (`policy_stale`); what does not parse
   * rejects with `policy_invalid` and the line. Says what it would have decided.
   */
  enforce(text: string): Promise<{ name: string; version: number; looked: number; changes: { jobId: string; before: string; after: string }[] }>;
  /** Dials a multiaddr that ends in /p2p/PEER. */
  connect(multiaddr: string): Promise<{ peerId: string }>;
  /** Calls back for events of one type, or '*'. Returns how to stop. Never rejects. */
  on<T extends keyof KernelEvents>(type: T, callback: (event: KernelEvents[T]) => void): () => void;
  on(type: string, callback: (event: KernelEvent) => void): () => void;
  close(): Promise<void>;
}

declare global {
  var inos: Inos;
}
