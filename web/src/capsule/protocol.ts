// What the kernel's Worker and a capsule's Worker say to each other. Only the
// start and the end of a capsule go by message: everything between them goes
// through the shared memory.

/** What a capsule's Worker is told: to start an instance, or, once that has returned, to forget it. */
export type Message = Start | { readonly kind: 'wipe' };

/** Starts an instance. */
export interface Start {
  readonly kind: 'start';
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Written to the control block before inos_run is called. */
  readonly epoch: number;
  /** The memory is that of another instance, copied: its control block starts anew. */
  readonly restored: boolean;
}

/** What a capsule's Worker reports of each start: `ready` once, then one of the others once. */
export type Report =
  | { readonly kind: 'ready'; readonly control: number }
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'trapped'; readonly text: string };
