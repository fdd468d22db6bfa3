// The page: it puts `inos` on the window, shows the kernel, and boots it.
import './style.css';
import { consoleApi } from './api/console';
import { boot, loadConfig, workerForbidden } from './boot';
import { watchHost } from './host-sensors';
import { rejoin } from './rejoin';
import { KernelLink } from './rpc/link';
import { mountPage } from './view/page';

const link = new KernelLink();
const inos = consoleApi(link);
Object.defineProperty(globalThis, 'inos', { value: inos, enumerable: true, configurable: true });

mountPage(inos);
// A Worker that the page's own policy forbids fails like one with a missing script; only this event
// tells the difference.
document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, disposition }) => {
  if (disposition === 'enforce' && /^worker-src/.test(effectiveDirective))
    link.fail(workerForbidden(effectiveDirective, blockedURI));
});
void boot(
  link,
  () => new Worker(new URL('./kernel.worker.ts', import.meta.url), { type: 'module', name: 'inos-kernel' }),
).then((config) => {
  if (!config) return;
  link.ready.then(
    () => {
      const stop = watchHost((sample) => link.sense(sample));
      rejoin(link, config.bootstrap, async () => (await loadConfig()).bootstrap);
      link.on('closed', stop);
      link.on('crashed', stop);
      console.info('INOS kernel is ready: inos.help() lists what it can do.');
    },
    () => {}, // the page shows the reason
  );
});
// A page that is closed ends its Worker; a page kept for the back button must not.
addEventListener('pagehide', (event) => {
  if (!event.persisted) void link.close();
});
