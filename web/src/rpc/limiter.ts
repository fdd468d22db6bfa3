// Bounds the calls in flight. Each verb has its own limit, so that dispatches, which last as long
// as their jobs, never keep out a cancel, a status or a close. Further calls wait in order, bounded
// by the memory that they hold.
import { InosFailure } from '../errors';

/** The limits of one verb. */
export interface Limits {
  /** Calls in flight. */
  calls: number;
  /** Bytes that the calls in flight hold. A single call may hold more. */
  bytes: number;
  /** Bytes that the waiting calls hold. */
  waiting: number;
}

/** The kernel has the same bound for the calls of a verb: internal/bridge/promise_js.go. */
export const LIMITS: Limits = { calls: 1024, bytes: 256 << 20, waiting: 512 << 20 };

/** What a call counts besides its arguments: it bounds calls that have none. */
const CALL_BYTES = 1 << 10;
/** The longest time of a timer; the kernel refuses a call that could wait longer. */
const TIMER_MS = 2 ** 31 - 1;

interface Waiting {
  readonly bytes: number;
  readonly timer: ReturnType<typeof setTimeout> | undefined;
  go(): void;
  reject(reason: InosFailure): void;
}

/** The calls of one verb. */
interface Lane {
  calls: number;
  bytes: number;
  waitingBytes: number;
  readonly waiting: Set<Waiting>; // in order
}

export class Limiter {
  readonly #limits: Limits;
  readonly #lanes = new Map<string, Lane>();

  constructor(limits: Partial<Limits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    for (const [name, limit] of Object.entries(this.#limits)) {
      if (!(limit >= 1)) throw new RangeError(`rpc: ${name} ${limit} is not at least 1`);
    }
  }

  /**
   * Runs `send` as soon as `verb` has room for one more call, and settles as it does. Rejects with
   * `too_many_calls`, retryable, when the waiting calls hold as much as they may, and with
   * `deadline` when a dispatch's deadline passes while it waits.
   */
  run<T>(verb: string, args: readonly unknown[], send: () => Promise<T>): Promise<T> {
    const lane = this.#lane(verb);
    const bytes = CALL_BYTES + weigh(args);
    if (lane.waiting.size === 0 && this.#hasRoom(lane, bytes)) return this.#start(lane, bytes, send);
    const { calls, waiting } = this.#limits;
    if (lane.waitingBytes + bytes > waiting) {
      return Promise.reject(
        new InosFailure(
          'too_many_calls',
          `inos.${verb}: ${lane.calls} calls are in flight, ${calls} at most, and ${lane.waiting.size} wait with ${lane.waitingBytes} bytes; ` +
            `this one's ${bytes} are more than the ${waiting} that may wait: await some calls before the next`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const call: Waiting = {
        bytes,
        timer: this.#expiry(verb, args, (reason) => {
          this.#leave(lane, call);
          reject(reason);
        }),
        go: () => resolve(this.#start(lane, bytes, send)),
        reject,
      };
      lane.waiting.add(call);
      lane.waitingBytes += bytes;
    });
  }

  /** Rejects the waiting calls, each with an error of its own. */
  end(reason: () => InosFailure): void {
    for (const lane of this.#lanes.values()) {
      for (const call of lane.waiting) {
        this.#leave(lane, call);
        call.reject(reason());
      }
    }
  }

  #lane(verb: string): Lane {
    let lane = this.#lanes.get(verb);
    if (!lane) this.#lanes.set(verb, (lane = { calls: 0, bytes: 0, waitingBytes: 0, waiting: new Set() }));
    return lane;
  }

  #hasRoom(lane: Lane, bytes: number): boolean {
    return lane.calls === 0 || (lane.calls < this.#limits.calls && lane.bytes + bytes <= this.#limits.bytes);
  }

  #start<T>(lane: Lane, bytes: number, send: () => Promise<T>): Promise<T> {
    lane.calls++;
    lane.bytes += bytes;
    return send().finally(() => {
      lane.calls--;
      lane.bytes -= bytes;
      for (const next of lane.waiting) {
        if (!this.#hasRoom(lane, next.bytes)) return;
        this.#leave(lane, next);
        next.go();
      }
    });
  }

  #leave(lane: Lane, call: Waiting): void {
    clearTimeout(call.timer);
    lane.waiting.delete(call);
    lane.waitingBytes -= call.bytes;
  }

  /** A timer for the deadline of a dispatch, which carries the time of its call. */
  #expiry(
    verb: string,
    args: readonly unknown[],
    expired: (reason: InosFailure) => void,
  ): ReturnType<typeof setTimeout> | undefined {
    const deadlineMs = (args[0] as { deadlineMs?: unknown } | undefined)?.deadlineMs;
    if (verb !== 'dispatch' || typeof deadlineMs !== 'number') return undefined;
    const now = performance.timeOrigin + performance.now();
    const asked = typeof args[1] === 'number' ? args[1] : now;
    const left = Math.max(asked + deadlineMs - now, 0);
    if (left > TIMER_MS) return undefined;
    const message = `dispatch: the deadline of ${deadlineMs} ms has passed: the call waited for the kernel, which had ${this.#lane(verb).calls} others in flight`;
    return setTimeout(() => expired(new InosFailure('deadline', message, { retryable: true })), left);
  }
}

/** The approximate number of bytes that arguments hold. */
function weigh(value: unknown): number {
  if (value instanceof Uint8Array) return value.byteLength;
  if (typeof value === 'string') return 2 * value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, field: unknown) => sum + weigh(field), 0);
}
