// Lines to try in the devtools console, each with a button that copies it.
import { VERBS } from '../api/verbs';
import { byId, h } from './dom';

const SHOWN = ['help', 'nodes', 'spawn', 'capsules', 'dispatch', 'explain'] as const;

export function showHints(): void {
  byId('hints').append(
    ...SHOWN.map((verb) => {
      const { example, does } = VERBS[verb];
      const copy = h('button', { type: 'button', class: 'small', 'aria-label': `copy: ${does}` }, 'copy');
      copy.addEventListener('click', () => {
        navigator.clipboard.writeText(example).then(
          () => (copy.textContent = 'copied'),
          () => (copy.textContent = 'select it'),
        );
      });
      return h('li', { title: does }, h('code', {}, example), copy);
    }),
  );
}
