// The top of the page: the kernel's state, its phases with their times, and what went wrong.
import type { BalanceRow, KernelInfo, Phase, PhaseName, Status } from '../../kernel';
import { byId, h, setText } from './dom';
import { credits, ms, short } from './format';

const LABELS: Record<PhaseName, string> = {
  page: 'Navigation',
  worker: 'Worker runs',
  fetched: 'Kernel found',
  compiled: 'Kernel loaded',
  started: 'Go started',
  ready: 'Kernel ready',
  joined: 'Mesh joined',
};

export type State = 'booting' | 'ready' | 'joined' | 'apart' | 'closed' | 'crashed' | 'failed';

const STATE_TEXT: Record<State, string> = {
  booting: 'booting',
  ready: 'ready, joining',
  joined: 'ready, in the mesh',
  apart: 'ready, alone',
  closed: 'closed',
  crashed: 'crashed',
  failed: 'not started',
};

export class BootView {
  readonly #items = new Map<string, { item: HTMLElement; time: HTMLElement }>();
  #state: State = 'booting';

  constructor() {
    const list = byId('phases');
    for (const [name, label] of Object.entries(LABELS)) {
      const time = h('span', { class: 'at' }, '–');
      const item = h('li', { class: 'ahead' }, h('span', { class: 'label' }, label), time);
      this.#items.set(name, { item, time });
      list.append(item);
    }
    this.reached({ name: 'page', at: 0, detail: '' });
  }

  get state(): State {
    return this.#state;
  }

  reached({ name, at, detail }: Phase): void {
    const phase = this.#items.get(name);
    if (!phase) return;
    phase.item.className = 'done';
    phase.item.title = detail;
    setText(phase.time, ms(at));
  }

  setState(state: State): void {
    this.#state = state;
    const pill = byId('state');
    pill.dataset.state = state;
    setText(pill, STATE_TEXT[state]);
  }

  /** The kernel is in the mesh, for the first time or again: the notice that no node answered goes. */
  joined(): void {
    this.setState('joined');
    for (const notice of byId('notices').querySelectorAll(
      '[data-code=bootstrap_unreachable], [data-code=local_network_denied]',
    ))
      notice.remove();
  }

  who(info: KernelInfo): void {
    const who = byId('who');
    setText(who, `${info.name} · ${short(info.peerId)}`);
    who.title = `${info.peerId}\n${info.ledgerId}`;
  }

  /** Shows what the kernel's own ledger can still promise, how long that lasts, and whether the
   * kernel works for others. */
  means(own: BalanceRow | undefined, { mining, durable }: Status): void {
    const money = own
      ? `${credits(own.available)} credits left to spend${own.held ? `, ${credits(own.held)} set aside for jobs` : ''}`
      : 'No ledger of its own';
    setText(
      byId('means'),
      `${money}${durable ? '' : ' · key and ledger last as long as this tab'} · volunteer work ${mining ? 'runs' : 'rests while you are active or the battery is low'}`,
    );
  }

  /** Adds a message that stays; `code` identifies it, for tests and for people who report it. */
  notice(kind: 'error' | 'warning', title: string, text: string, code: string): HTMLElement {
    const [first = '', ...rest] = text.trim().split('\n');
    const notice = h(
      'div',
      { class: `notice ${kind}`, role: kind === 'error' ? 'alert' : 'status', 'data-code': code },
      h('strong', {}, title),
      h('p', {}, first),
      rest.length > 0 && h('pre', {}, rest.join('\n')),
      h(
        'p',
        { class: 'code' },
        h('code', {}, code),
        ' ',
        h('button', { type: 'button', class: 'small', onclick: () => location.reload() }, 'Reload'),
      ),
    );
    byId('notices').append(notice);
    return notice;
  }
}
