// The events that `inos.on` delivers, part of the console API's contract (kernel.d.ts).

import type { Phase, CapsuleRow, JobRow } from './kernel';

/** What `on` delivers. */
export interface KernelEvent {
  type: keyof KernelEvents | (string & {});
  [field: string]: unknown;
}

/** The events by their type. `at` is Unix time, except of a phase. */
export interface KernelEvents {
  phase: PhaseEvent;
  log: LogEvent;
  'mesh:joined': JoinedEvent;
  'mesh:parted': PartedEvent;
  'mesh:unreachable': UnreachableEvent;
  'clock:offset': ClockEvent;
  node: NodeEvent;
  peer: PeerEvent;
  capsule: CapsuleEvent;
  heartbeat: HeartbeatEvent;
  job: JobEvent;
  fed: FedEvent;
  broadcast: BroadcastEvent;
  shed: ShedEvent;
  closed: EndEvent;
  crashed: EndEvent;
}

/** The boot got further; `at` counts from the navigation's start. */
export interface PhaseEvent extends Phase {
  type: 'phase';
}

/** Something for people to read. */
export interface LogEvent {
  type: 'log';
  at?: number;
  level: 'debug' | 'info' | 'warn' | 'error';
  text: string;
  /** 'shell', 'worker' or 'kernel'; absent for an event of the kernel. */
  source?: string;
  /** Of a capsule's own line. */
  id?: string;
  /** Events that were dropped. */
  count?: number;
}

/** The kernel has a peer, and had none. */
export interface JoinedEvent {
  type: 'mesh:joined';
  at: number;
  peerId: string;
  peers: number;
}

/** It has none any more; it goes on trying. */
export interface PartedEvent {
  type: 'mesh:parted';
  at: number;
  /** The last one. */
  peerId: string;
}

/** No bootstrap node answered; `mesh:joined` may follow later. */
export interface UnreachableEvent {
  type: 'mesh:unreachable';
  code: string;
  message: string;
}

/** This machine's clock differs from the middle one of the peers' by more than a minute, by another minute, or no longer. */
export interface ClockEvent {
  type: 'clock:offset';
  at: number;
  /** How far it is ahead; negative: behind. */
  aheadMs: number;
  /** Of how many peers that is known, and of how many of them it differs by more than a minute. */
  peers: number;
  apart: number;
  /** Whether it differs by more than a minute. */
  wrong: boolean;
  message: string;
}

/** A node is new here, or has expired or fallen silent. */
export interface NodeEvent {
  type: 'node';
  at: number;
  peerId: string;
  name?: string;
  gone: boolean;
}

export interface PeerEvent {
  type: 'peer';
  at: number;
  peerId: string;
  connected: boolean;
}

/** Something of a capsule changed; what did not is absent. */
export interface CapsuleEvent {
  type: 'capsule';
  at: number;
  id: string;
  name?: string;
  state?: string;
  /** The state before. */
  was?: string;
  reason?: string;
  /** Instances before this one. */
  restarts?: number;
  /** Whether another instance follows. */
  restart?: boolean;
  /** A lifecycle command that was answered, with the answer's code. */
  command?: string;
  code?: string;
  congested?: boolean;
  memoryBytes?: number;
  memoryEpoch?: number;
  /** What it asked for and did not get. */
  refusedBytes?: number;
  memoryLimit?: number;
  /** What it did not do in time, after how long, and whether it was killed for it. */
  overdue?: 'pause';
  afterMs?: number;
  killed?: boolean;
  /** Its ledger ran dry, or pays again: what was done, and why it could not be, if so. */
  credit?: 'pause' | 'resume' | 'kill';
  ledger?: string;
  failed?: string;
}

/** The CapsuleRow of `id` is new. */
export interface HeartbeatEvent {
  type: 'heartbeat';
  id: string;
}

/** A job got further; inos.jobs() has its JobRow. */
export interface JobEvent {
  type: 'job';
  at: number;
  id: string;
  state: 'rejected' | 'admitted' | 'placed' | 'running' | 'done' | 'failed' | 'cancelled';
  /** Of a rejection. */
  code?: string;
  reason?: string;
  node?: string;
  score?: number;
  attempt?: number;
  done?: number;
  total?: number;
  cost?: number;
}

/** A stream into a capsule ended. */
export interface FedEvent {
  type: 'fed';
  at: number;
  id: string;
  node: string;
  /** Peer id of who sent it; empty for this kernel. */
  from: string;
  bytes: number;
  reason: string;
}

/** What the kernel tells all its parts: 'mining:start', 'mining:stop', 'sensors:fidelity', 'capsule:throttled'. */
export interface BroadcastEvent {
  type: 'broadcast';
  at: number;
  message: string;
  reason?: string;
  id?: string;
  jammed?: boolean;
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
