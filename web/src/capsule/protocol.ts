// The messages between the kernel's Worker and a capsule's Worker. They carry only the start and
// the end of a capsule: everything between goes through the shared memory.

/** A message to a capsule's Worker: to start an instance, or, once that has returned, to forget it. */
export type Message = Start | { readonly kind: 'wipe' };

/** Starts an instance. */
export interface Start {
  readonly kind: 'start';
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Written to the control block before inos_run is called. */
  readonly epoch: number;
  /** The memory is a copy of another instance's: its control block starts anew. */
  readonly restored: boolean;
}

/** The reports of a capsule's Worker for each start: `ready` once, then one of the others once. */
export type Report =
  | { readonly kind: 'ready'; readonly control: number }
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'trapped'; readonly text: string };
