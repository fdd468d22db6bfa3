// The console API of the INOS kernel: one object, `inos`, on the page and in the kernel's Worker.
// This file is the contract between the shell (web/src), the kernel's bridge (internal/bridge) and
// the users of a devtools console. The arguments and answers of the verbs, and the events, are
// generated (console.d.ts).
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

/** A stream for inos.feed; its chunks may be of any length. */
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

/** The argument of a callback of `on`. */
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

/** The boot reached a phase; `at` counts from the navigation's start. */
export interface PhaseEvent extends Phase {
  type: 'phase';
}

/** The page was too slow: this many events were dropped just before. */
export interface ShedEvent {
  type: 'shed';
  count: number;
}

/** The kernel has ended. */
export interface EndEvent {
  type: 'closed' | 'crashed';
  code: string;
  message: string;
}

export interface Inos {
  /** Settles once: the kernel is up, or an InosError says why it cannot be. */
  readonly ready: Promise<KernelInfo>;
  /** Settles once: the kernel has its first peer, or `bootstrap_unreachable`. Events report later changes. */
  readonly joined: Promise<Status>;
  help(): Promise<VerbHelp[]>;
  status(): Promise<Status>;
  nodes(): Promise<NodeRow[]>;
  /**
   * Looks a capability up in the DHT now. Returns the nodes with a provider record for it that
   * answer and still have it. Nodes that are known by gossip alone are not among them; inos.nodes()
   * has all known nodes.
   */
  find(capability: string): Promise<FoundRow[]>;
  capsules(): Promise<CapsuleRow[]>;
  /** The capsules that this kernel knows and could run. */
  catalog(): Promise<CapsuleOffer[]>;
  jobs(): Promise<JobRow[]>;
  spawn(nameOrCid: string, options?: SpawnOptions): Promise<LifecycleReply>;
  kill(capsuleId: string): Promise<LifecycleReply>;
  pause(capsuleId: string): Promise<LifecycleReply>;
  resume(capsuleId: string): Promise<LifecycleReply>;
  resize(capsuleId: string, bytes: number): Promise<LifecycleReply>;
  /** Takes a snapshot of a paused capsule; spawn(snapshotCid) continues where it stood, here or on another node. */
  snapshot(capsuleId: string): Promise<LifecycleReply>;
  /**
   * Resolves once all of the data is in the capsule, here or on another node: the capsule is fed,
   * and a stream is read, no faster than the capsule reads. Chunks of a stream are bytes or
   * strings. A stream that fails, or whose capsule ends, is cut short and cancelled.
   */
  feed(capsuleId: string, data: FeedSource): Promise<FeedResult>;
  /**
   * The output stream of a capsule of this kernel from now on. The capsule is held back while the
   * stream is not read: read it, or cancel it. If the capsule ends with an error, the stream fails
   * with it.
   */
  listen(capsuleId: string): Promise<ReadableStream<Uint8Array>>;
  /**
   * Calls a capsule that this kernel spawned, here or on another node: that instance, with its
   * state. Calls run one at a time, in order; 64 more wait (`too_many_calls` beyond). The capsule's
   * time is paid for as long as it lives, so a call costs nothing of its own. A call ends with the
   * policy's limit on a run (`deadline`). Capsules of other spawners cannot be called (`denied`).
   */
  call(capsuleId: string, method: string, input?: string | Uint8Array | ArrayBuffer, args?: string[]): Promise<CallResult>;
  /**
   * Runs a job. 1,024 are in flight at most; further ones wait here in order, without a job id yet,
   * until the waiting ones hold 512 MiB (`too_many_calls`).
   */
  dispatch(job: DispatchOptions): Promise<DispatchResult>;
  /** Ends a job that is waiting or running, wherever it is: its dispatch rejects with `cancelled`. */
  cancel(jobId: string): Promise<Cancelled>;
  /** Explains a job by its id, from its first moment on and after its end, or a job that has not been sent. */
  explain(job: string | DispatchOptions): Promise<Explanation>;
  /**
   * Makes a capsule known to this kernel for as long as the kernel lives; the capsule is inspected
   * first. A name is 1 to 64 letters, digits, `-` and `_`, the first of them a letter or a digit
   * (`bad_name`); a name that other bytes have is refused (`name_taken`). The same bytes may be
   * published again.
   */
  publish(name: string, wasm: Uint8Array | ArrayBuffer, options?: PublishOptions): Promise<Published>;
  /** The decision about a job, or the latest ones, newest first. */
  why(jobId: string): Promise<DecisionRow>;
  why(): Promise<DecisionRow[]>;
  /** The spans of a job, in order of start; each node's clock is its own. */
  trace(jobId: string): Promise<SpanRow[]>;
  ledger(what?: 'balance'): Promise<BalanceRow[]>;
  /** The newest 200 entries of the verified log, or all that are kept; oldest first. One of kind
   * `let-go` says that there were older ones. */
  ledger(what: 'history' | 'export'): Promise<LedgerEntry[]>;
  /** Replays the kept part of the log and checks every hash; rejects with `log_corrupt` and the entry's number. */
  ledger(what: 'verify'): Promise<LedgerReport>;
  /**
   * Grants an amount to a ledger on this node's books, withdraws one, or sets its credit line; in
   * microcredits. Without a ledger id it is the node's own ledger, for what its allowance and its
   * earnings do not cover. Answers the balances.
   */
  ledger(what: 'grant' | 'withdraw' | 'line', amount: number, ledgerId?: string): Promise<BalanceRow[]>;
  /** A revoked ledger pays for nothing new here until it is restored. */
  ledger(what: 'revoke' | 'restore', ledgerId: string): Promise<BalanceRow[]>;
  /** The policy in force, as text, with all defaults. */
  policy(): Promise<string>;
  /** A dry run: what a policy would have decided about the remembered jobs. Puts nothing in force. */
  policy(text: string): Promise<PolicyDryRun>;
  /**
   * Puts a policy in force, completely or not at all, and stores it for later visits. Its version
   * must be higher than that of the one in force (`policy_stale`); a text that does not parse
   * rejects with `policy_invalid` and the line. Answers what the policy would have decided.
   */
  enforce(text: string): Promise<PolicyEnforced>;
  /** Dials a multiaddr that ends in /p2p/PEER. */
  connect(multiaddr: string): Promise<Connected>;
  /** Calls back for events of one type, or '*'. Returns a function that ends that. Never rejects. */
  on<T extends keyof KernelEvents>(type: T, callback: (event: KernelEvents[T]) => void): () => void;
  on(type: string, callback: (event: KernelEvent) => void): () => void;
  close(): Promise<void>;
}

declare global {
  var inos: Inos;
}
