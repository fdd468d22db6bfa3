// The form that dispatches a job, and its result with the considered nodes.
import type { CapsuleOffer, DispatchOptions, DispatchResult, Inos } from '../../kernel';
import { asFailure } from '../errors';
import { byId, h } from './dom';
import { bytes, figure, ms, short } from './format';
import { consideredTable } from './tables';

export class JobForm {
  readonly #form = byId<HTMLFormElement>('job');
  readonly #result = byId('result');
  readonly #inos: Inos;

  constructor(inos: Inos) {
    this.#inos = inos;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#dispatch();
    });
  }

  enable(offers: CapsuleOffer[], ledgerId: string): void {
    const select = this.#field<HTMLSelectElement>('capsule');
    select.replaceChildren(...offers.map((offer) => h('option', { value: offer.name }, offer.name)));
    const hash = offers.find((offer) => offer.name === 'hash');
    if (hash) select.value = hash.name;
    this.#field('ledger').value = ledgerId;
    this.#button.disabled = offers.length === 0;
  }

  disable(): void {
    this.#button.disabled = true;
  }

  get #button(): HTMLButtonElement {
    return this.#form.querySelector('button') as HTMLButtonElement;
  }

  #field<T extends HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement = HTMLInputElement>(name: string): T {
    return this.#form.elements.namedItem(name) as T;
  }

  async #dispatch(): Promise<void> {
    const words = this.#field('requires')
      .value.split(/[\s,]+/)
      .filter(Boolean);
    const ledger = this.#field('ledger').value.trim();
    const job: DispatchOptions = {
      capsule: this.#field<HTMLSelectElement>('capsule').value,
      method: this.#field('method').value.trim(),
      input: this.#field<HTMLTextAreaElement>('input').value,
      requires: words,
      ...(ledger && { creditLedgerId: ledger }),
    };
    this.#button.disabled = true;
    this.#result.replaceChildren(h('p', { class: 'dim' }, 'Running…'));
    try {
      this.#show(await this.#inos.dispatch(job));
    } catch (thrown) {
      const { code, message } = asFailure(thrown, 'internal');
      this.#result.replaceChildren(h('p', { class: 'failed' }, h('code', {}, code), ` ${message}`));
    } finally {
      this.#button.disabled = false;
    }
  }

  #show(result: DispatchResult): void {
    const where = result.local ? 'this browser' : result.nodeName || short(result.node);
    const facts = [
      `ran on ${where}`,
      `score ${figure(result.score)}`,
      `took ${ms(result.totalMs)}`,
      result.capsuleBytes > 0 && `${bytes(result.capsuleBytes)} of capsule travelled`,
      `cost ${result.cost} µc`,
    ].filter(Boolean);
    const considered = consideredTable();
    considered.show(result.considered ?? []);
    this.#result.replaceChildren(
      h('output', { class: 'mono' }, result.text),
      h('p', {}, facts.join(' · ')),
      h('div', { class: 'scroll' }, considered.element),
    );
  }
}
