// The messages between the page and the kernel's Worker, by postMessage.
import type { BootConfig, HostSample } from '../../boot';
import type { KernelEvent, KernelInfo, Phase, Status } from '../../kernel';
import type { PlainError } from '../errors';

export type ToKernel =
  /** `origin` is the page's performance.timeOrigin: phases count from it. */
  | { t: 'boot'; config: BootConfig; origin: number }
  | { t: 'call'; id: number; verb: string; args: unknown[] }
  | { t: 'sense'; sample: HostSample }
  /** The page has handled a batch of events: the next may be sent. */
  | { t: 'ack' };

export type FromKernel =
  /** The Worker's script runs. It holds the Web Lock `lock` for as long as it lives; null where the
   * browser has no locks. */
  | { t: 'alive'; lock: string | null }
  | { t: 'phase'; phase: Phase }
  | { t: 'ready'; info: KernelInfo }
  | { t: 'joined'; status: Status }
  /** The kernel is up but not in the mesh. */
  | { t: 'apart'; error: PlainError }
  | { t: 'result'; id: number; value: unknown }
  | { t: 'failure'; id: number; error: PlainError }
  | { t: 'events'; batch: KernelEvent[] }
  /** The last message. */
  | { t: 'ended'; error: PlainError };

/** The buffers of `value` that may be moved instead of copied: its own byte arrays, two levels deep,
 * such as a job's input among the arguments. */
export function transferable(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const look = (field: unknown, levels: number): void => {
    if (typeof field !== 'object' || field === null) return;
    if (field instanceof Uint8Array) {
      if (field.buffer instanceof ArrayBuffer) found.add(field.buffer);
    } else if (levels > 0) {
      for (const inner of Object.values(field)) look(inner, levels - 1);
    }
  };
  look(value, 2);
  return [...found];
}
