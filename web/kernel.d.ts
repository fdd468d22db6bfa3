// The console API of the INOS kernel: one object, `inos`, on the page and in the
// kernel's Worker. This file is the contract between the shell (web/src), the
// kernel's bridge (internal/bridge) and whoever types into a devtools console; what the
// verbs take and answer, and the events, are generated (console.d.ts).
//
// Every verb returns a Promise of plain data (arrays of flat objects, so that
// console.table reads well) or rejects with an InosError. Nothing hangs: when the
// kernel is closed, killed or crashes, everything pending rejects. Units: times
// in milliseconds, sizes in bytes, money in microcredits (1e-6 credit).

import type { InosErrorCode, KernelErrorCode } from './codes';
import type {
  BalanceRow,
  CallResult,
  Cancelled,
  CapsuleOffer,
  CapsuleRow,
  Connected,
  DecisionRow,
  DispatchOptions,
  DispatchResult,
  Explanation,
  FeedResult,
  FoundRow,
  JobRow,
  KernelInfo,
  KernelStatus,
  LedgerEntry,
  LedgerReport,
  LifecycleReply,
  NodeRow,
  PolicyDryRun,
  PolicyEnforced,
  Published,
  PublishOptions,
  SentEvents,
  SpanRow,
  SpawnOptions,
} from './console';

export type { InosErrorCode, KernelErrorCode } from './codes';
export type * from './console';

/** Errors of the console API. `code` is stable, `message` is for people. */
export interface InosError extends Error {
  name: 'InosError';
  code: InosErrorCode | KernelErrorCode | (string & {});
  /** Whether the same call may succeed later. */
  retryable: boolean;
}

/** One step of the boot; `at` counts from the navigation's start. */
export interface Phase {
  name: PhaseName;
  at: number;
  detail: string;
}
export type PhaseName = 'page' | 'worker' | 'fetched' | 'compiled' | 'started' | 'ready' | 'joined';

/** The kernel's state, with what the shell knows of its start. */
export interface Status extends KernelStatus {
  phases: Phase[];
  /** Navigation start to a ready kernel; null when not reached. */
  readyMs: number | null;
  /** Navigation start to its first peer; null when not reached. */
  joinedMs: number | null;
}

/** A stream for inos.feed; the chunks of one that has chunks may be of any length. */
export type FeedSource =
  | string
  | ArrayBufferView
  | ArrayBufferLike
  | Blob
  | ReadableStream<unknown>
  | AsyncIterable<unknown>;

export interface VerbHelp {
  verb: string;
  does: string;
  example: string;
}

/** What `on` delivers. */
export interface KernelEvent {
  type: keyof KernelEvents | (string & {});
  [field: string]: unknown;
}

/** The events by their type. `at` is Unix time, except of a phase. */
export interface KernelEvents extends SentEvents {
  phase: PhaseEvent;
  shed: ShedEvent;
  closed: EndEvent;
  crashed: EndEvent;
}

/** The boot got further; `at` counts from the navigation's start. */
export interface PhaseEvent extends Phase {
  type: 'phase';
}

/** The page did not keep up: so many events were left out just before. */
export interface ShedEvent {
  type: 'shed';
  count: number;
}

/** The kernel is gone. */
export interface EndEvent {
  type: 'closed' | 'crashed';
  code: string;
  message: string;
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
  feed(capsuleId: string, data: FeedSource): Promise<FeedResult>;
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
  cancel(jobId: string): Promise<Cancelled>;
  /** Of a job by its id, from its first moment on and after its end, or of one that has not been sent. */
  explain(job: string | DispatchOptions): Promise<Explanation>;
  /**
   * Makes a capsule known to this kernel, as long as it lives; it is inspected first. A name is 1 to 64 letters, digits, `-` and `_`, the first of them a
   * letter or a digit (`bad_name`); one that other bytes have is refused (`name_taken`). The same bytes may be published again.
   */
  publish(name: string, wasm: Uint8Array | ArrayBuffer, options?: PublishOptions): Promise<Published>;
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
  policy(text: string): Promise<PolicyDryRun>;
  /**
   * Puts a policy in force, whole or not at all, and keeps it for later visits. Its
   * version must be higher than the one in force (`policy_stale`); what does not parse
   * rejects with `policy_invalid` and the line. Says what it would have decided.
   */
  enforce(text: string): Promise<PolicyEnforced>;
  /** Dials a multiaddr that ends in /p2p/PEER. */
  connect(multiaddr: string): Promise<Connected>;
  /** Calls back for events of one type, or '*'. Returns how to stop. Never rejects. */
  on<T extends keyof KernelEvents>(type: T, callback: (event: KernelEvents[T]) => void): () => void;
  on(type: string, callback: (event: KernelEvent) => void): () => void;
  close(): Promise<void>;
}

declare global {
  var inos: Inos;
}
