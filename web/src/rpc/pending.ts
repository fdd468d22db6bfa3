// Calls in flight, by id. All reject when the other side ends. Limiter bounds them.
import { InosFailure } from '../errors';

interface Call {
  resolve(value: unknown): void;
  reject(error: InosFailure): void;
}

export class Pending {
  readonly #calls = new Map<number, Call>();
  #next = 1;
  #ended: InosFailure | null = null;

  get size(): number {
    return this.#calls.size;
  }

  /** Makes a call and passes its id to `send`. An exception of `send` rejects the call: a failure as
   * it is, anything else as `bad_argument`. */
  open(send: (id: number) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(again(this.#ended));
        return;
      }
      const id = this.#next++;
      this.#calls.set(id, { resolve, reject });
      try {
        send(id);
      } catch (thrown) {
        this.#calls.delete(id);
        reject(
          thrown instanceof InosFailure
            ? thrown
            : new InosFailure('bad_argument', `the arguments cannot be sent to the kernel: ${String(thrown)}`),
        );
      }
    });
  }

  /** Resolves a call; a late answer to a call that is no longer known is ignored. */
  resolve(id: number, value: unknown): void {
    this.#take(id)?.resolve(value);
  }

  reject(id: number, error: InosFailure): void {
    this.#take(id)?.reject(error);
  }

  /** Rejects everything pending, and every later call. The first reason stays. */
  end(reason: InosFailure): void {
    this.#ended ??= reason;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(again(this.#ended));
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }
}

/** `reason` for one more caller: each gets an error of its own, with its own stack. */
export function again(reason: InosFailure): InosFailure {
  return new InosFailure(reason.code, reason.message, { retryable: reason.retryable });
}
