// The page's notice where key and ledger do not outlast the tab, with the reason.
import type { KernelInfo, StorageReason } from '../../kernel';
import type { BootView } from './boot';
import { byId, h } from './dom';

/** The kernel that keeps this site's ledger holds it for as long as it lives (internal/store/dir_js.go). */
const LEDGER_LOCK = 'inos.store/inos';

const INSTEAD = 'The kernel runs with a new key and an empty ledger, which last as long as this tab.';

const NOTES: Record<Exclude<StorageReason, ''>, { title: string; text: string }> = {
  second_tab: {
    title: 'This is a second tab',
    text:
      "Another tab of this browser runs a kernel with this site's key and ledger, and only one tab at a time can write them. So the " +
      'kernel of this tab has a new key and an empty ledger, which last as long as the tab. Go on in the other tab, or close it and reload this one.',
  },
  storage_refused: {
    title: 'This browser keeps nothing for this page',
    text:
      `It refuses to, as in a private window and where site data is blocked. ${INSTEAD} To have ones that stay, open this page in ` +
      'a normal window, allow it to store data, and reload.',
  },
  storage_unsupported: {
    title: 'This browser cannot keep the ledger',
    text: `${INSTEAD} It lacks the origin private file system, which Chromium 108, Firefox 111 and later have, or it is switched off.`,
  },
  storage_full: {
    title: "This site's storage is full",
    text: `${INSTEAD} What is kept was left as it is, and could not be written to. Make room on the disk or in the browser's site data, then reload.`,
  },
  storage_damaged: {
    title: 'What this browser keeps for this page does not verify',
    text:
      `${INSTEAD} What is kept was left as it is. If a reload says the same, clear this site's data in the browser's settings ` +
      'to start over: the old key and what is on its ledger are lost then.',
  },
};

/**
 * Shows why nothing outlasts the tab, if that is so. In a second tab it reports when the first one
 * has ended, until `signal` aborts. This tab does not take over by itself, since its own ledger
 * would be lost.
 */
export function showStorage(boot: BootView, info: KernelInfo, signal: AbortSignal): void {
  const reason = info.durableReason;
  if (info.durable) void offerToKeep();
  if (info.durable || !reason) return;
  const { title, text } = NOTES[reason];
  const second = reason === 'second_tab';
  const notice = boot.notice('warning', title, second ? text : `${text}\n${info.durableDetail}`, reason);
  if (!second) return;
  navigator.locks
    .request(LEDGER_LOCK, { mode: 'shared', signal }, () => {})
    .then(
      () => {
        if (signal.aborted) return;
        notice.remove();
        boot.notice(
          'warning',
          'The first tab has gone',
          'Reload this page to take over its key and its ledger. What is on the ledger of this tab ends with the reload, so it does not happen by itself.',
          'first_tab_gone',
        );
      },
      () => {}, // aborted, or this browser has no such lock to wait for
    );
}

/**
 * Shows where the browser has not promised to keep this site's data: then it may clear key and
 * ledger when the disk is full. The request for that promise needs a click, since some browsers ask
 * their user.
 */
async function offerToKeep(): Promise<void> {
  const { storage } = navigator;
  if (typeof storage?.persist !== 'function' || (await storage.persisted().catch(() => true))) return;
  const note = byId('kept');
  const ask = h('button', { type: 'button', class: 'small' }, 'Keep them');
  ask.addEventListener('click', () => {
    storage.persist().then(
      (promised) =>
        note.replaceChildren(
          promised
            ? 'The browser keeps key and ledger until you clear them.'
            : 'The browser did not promise it. A bookmark, or using the page more, may change its mind.',
        ),
      (thrown: unknown) => note.replaceChildren(`The browser did not promise it: ${String(thrown)}`),
    );
  });
  note.replaceChildren('The browser may clear key and ledger when the disk runs full. ', ask);
}
