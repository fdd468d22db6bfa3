// Errors in the console, and in messages from the Worker to the page.
import type { InosErrorCode, KernelErrorCode } from '../kernel';
import { RETRYABLE } from './codes';

/** The codes of all errors that are thrown or rejected here: the compiler finds a code that is not in codes.d.ts. */
type Code = InosErrorCode | KernelErrorCode;

/** An error as it crosses postMessage, and as the Go side rejects with it. */
export interface PlainError {
  name: 'InosError';
  code: string;
  message: string;
  retryable: boolean;
}

export class InosFailure extends Error {
  override readonly name = 'InosError' as const;
  readonly code: Code;
  readonly retryable: boolean;

  constructor(code: Code, message: string, options?: ErrorOptions & { retryable?: boolean }) {
    super(message, options);
    this.code = code;
    this.retryable = options?.retryable ?? RETRYABLE.has(code);
  }

  toPlain(): PlainError {
    return { name: this.name, code: this.code, message: this.message, retryable: this.retryable };
  }
}

/** Makes an InosFailure of any thrown value; `code` is used when `thrown` has none. */
export function asFailure(thrown: unknown, code: Code): InosFailure {
  if (thrown instanceof InosFailure) return thrown;
  if (typeof thrown === 'object' && thrown !== null) {
    const { name, code: own, message, retryable } = thrown as Partial<PlainError>;
    const text = typeof message === 'string' ? message : String(thrown);
    if (name === 'InosError' && typeof own === 'string')
      return new InosFailure(own as Code, text, typeof retryable === 'boolean' ? { retryable } : undefined);
    return new InosFailure(code, text, { cause: thrown });
  }
  return new InosFailure(code, String(thrown));
}
