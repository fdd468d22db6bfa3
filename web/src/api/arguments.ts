// Checks the arguments of a console call before they are sent, and says what was expected. The
// kernel checks what only it can know (ids, ledgers, capabilities).
import { InosFailure } from '../errors';
import { isBytes, isSource } from './streams';
import { VERBS, type Field, type Param, type Shape, type VerbName } from './verbs';

/** Returns the arguments in the form in which they are sent: text and buffers of a `bytes` field
 * become a Uint8Array. */
export function checkArguments(verb: VerbName, args: readonly unknown[]): unknown[] {
  const params: readonly Param[] = VERBS[verb].params;
  if (args.length > params.length) {
    throw refuse(verb, `takes ${count(params)}, got ${args.length}`);
  }
  const given = args.findLastIndex((arg) => arg !== undefined) + 1;
  return params.flatMap((param, i) => {
    const arg = args[i];
    if (arg === undefined && param.optional) return i < given ? [undefined] : []; // later arguments keep their place
    const shapes = (Array.isArray(param.shape) ? param.shape : [param.shape]) as readonly Shape[];
    return [checkParam(verb, param.name, shapes, arg)];
  });
}

function checkParam(verb: VerbName, name: string, shapes: readonly Shape[], arg: unknown): unknown {
  for (const shape of shapes) {
    if (typeof shape === 'object') {
      if (isPlain(arg)) return checkFields(verb, name, shape, arg);
    } else if (shape === 'function') {
      if (typeof arg === 'function') return arg;
    } else if (shape === 'source') {
      if (isSource(arg)) return arg; // it is cut and copied when it is sent
    } else if (fits(shape, arg)) {
      return send(shape, arg);
    }
  }
  throw refuse(verb, `${name} must be ${shapes.map(describe).join(' or ')}, got ${kind(arg)}`);
}

function checkFields(verb: VerbName, name: string, fields: Record<string, Field>, given: object): object {
  const sent: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (!field) {
      throw refuse(verb, `${name} has no field '${key}'; it may have ${Object.keys(fields).join(', ')}`);
    }
    if (value === undefined) continue;
    if (!fits(field, value)) throw refuse(verb, `${name}.${key} must be ${describe(field)}, got ${kind(value)}`);
    sent[key] = send(field, value);
  }
  return sent;
}

function fits(field: Field, value: unknown): boolean {
  switch (field) {
    case 'text':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) && value >= 0;
    case 'count':
      return Number.isSafeInteger(value) && (value as number) >= 1;
    case 'flag':
      return typeof value === 'boolean';
    case 'level':
      return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'bytes':
      return typeof value === 'string' || isBytes(value);
  }
}

function send(field: Field, value: unknown): unknown {
  if (field !== 'bytes') return value;
  if (typeof value === 'string') return new TextEncoder().encode(value);
  // A copy: the caller's bytes stay the caller's, and shared memory cannot be sent.
  const view = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value as ArrayBuffer);
  return Uint8Array.from(view);
}

/** Whether `value` is an object literal, also one of another realm. A Date or a Map has no fields to
 * read and is refused. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === null || Object.getPrototypeOf(proto) === null;
}

function describe(shape: Shape): string {
  if (typeof shape === 'object') return `an object {${Object.keys(shape).join(', ')}}`;
  const names = {
    text: 'a string',
    number: 'a number of at least 0',
    count: 'a whole number of at least 1, or left out',
    level: 'a whole number from 0 to 255',
    texts: 'an array of strings',
    flag: 'true or false',
    bytes: 'a string, Uint8Array or ArrayBuffer',
    function: 'a function',
    source: 'a string, Uint8Array, ArrayBuffer, Blob, ReadableStream or async iterable',
  };
  return names[shape];
}

function kind(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'object') return value.constructor?.name ?? 'an object';
  return typeof value;
}

function count(params: readonly Param[]): string {
  if (params.length === 0) return 'no arguments';
  return `(${params.map((param) => (param.optional ? `${param.name}?` : param.name)).join(', ')})`;
}

function refuse(verb: VerbName, what: string): InosFailure {
  return new InosFailure('bad_argument', `inos.${verb}: ${what}. Example: ${VERBS[verb].example}`);
}
