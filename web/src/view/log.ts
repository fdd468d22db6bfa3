// The last events, newest first.
import type { KernelEvent } from '../../kernel';
import { byId, h } from './dom';
import { figure, ms, short } from './format';

const KEPT = 300;
const LEADING = ['id', 'name', 'command', 'state', 'was'];
const SILENT: ReadonlySet<string> = new Set(['heartbeat', 'node']);

export class LogView {
  readonly #list = byId('log');

  heed(event: KernelEvent): void {
    if (!SILENT.has(event.type)) this.add(event.type, describe(event), levelOf(event));
  }

  add(kind: string, text: string, level: string = 'info'): void {
    const time = new Date().toLocaleTimeString([], { hour12: false });
    this.#list.prepend(h('li', { class: level }, h('time', {}, time), h('b', {}, kind), h('span', {}, text)));
    while (this.#list.childElementCount > KEPT) this.#list.lastElementChild?.remove();
  }
}

function levelOf(event: KernelEvent): string {
  if (event.type === 'crashed') return 'error';
  if (event.type === 'clock:offset') return event.wrong ? 'warn' : 'info';
  const level = event.level;
  return level === 'error' || level === 'warn' ? level : 'info';
}

function describe(event: KernelEvent): string {
  if (event.type === 'log') return String(event.text);
  if (event.type === 'phase')
    return [`${String(event.name)} at ${ms(event.at as number)}`, event.detail].filter(Boolean).join(': ');
  return Object.entries(event)
    .sort(([a], [b]) => rank(a) - rank(b))
    .filter(
      ([name, value]) =>
        name !== 'type' && name !== 'at' && value !== '' && value !== null && !(value instanceof Uint8Array),
    )
    .map(([name, value]) => `${name} ${readable(value)}`)
    .join(', ');
}

/** Puts the actor and the subject first; the other fields keep their order. */
function rank(name: string): number {
  const i = LEADING.indexOf(name);
  return i < 0 ? LEADING.length : i;
}

function readable(value: unknown): string {
  if (typeof value === 'number') return figure(value);
  if (typeof value !== 'string') return JSON.stringify(value);
  return value.includes(' ') ? value : short(value); // shortens an id, not a sentence
}
