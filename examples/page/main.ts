// A page of one's own with the kernel in it: three lines boot it in a Worker, and `inos` is
// the same object as in the devtools console of the shell. The server must make the page
// cross-origin isolated and give it /inos.json, as `inos serve` does.
import { consoleApi } from '../../web/src/api/console';
import { boot } from '../../web/src/boot';
import { KernelLink } from '../../web/src/rpc/link';

const link = new KernelLink();
globalThis.inos = consoleApi(link);
void boot(
  link,
  () => new Worker(new URL('../../web/src/kernel.worker.ts', import.meta.url), { type: 'module', name: 'inos-kernel' }),
);

const form = document.querySelector('form')!;
const button = document.querySelector('button')!;
const output = document.querySelector('output')!;

inos.joined.then(
  () => (button.disabled = false),
  (error: Error) => (output.textContent = error.message),
);
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const { ledgerId } = await inos.status();
    const input = String(new FormData(form).get('text'));
    const job = await inos.dispatch({
      capsule: 'hash',
      method: 'sha256',
      input,
      requires: ['storage'],
      creditLedgerId: ledgerId,
    });
    output.textContent = `${job.text.trim()} by ${job.node}`;
  } catch (error) {
    output.textContent = String(error);
  }
});
