// Keeps the page current: events say that something changed, and the tables are read again, at most
// five times a second.
import type { ClockEvent, Inos, KernelEvent, Phase } from '../../kernel';
import { deferred } from '../deferred';
import { asFailure, type InosFailure } from '../errors';
import { BootView } from './boot';
import { ClockNotice } from './clock';
import { byId } from './dom';
import { showHints } from './hints';
import { JobForm } from './job';
import { LogView } from './log';
import { showStorage } from './storage';
import { capsulesTable, jobsTable, nodesTable } from './tables';

const REFRESH_MS = 200;
const POLL_MS = 1000;

const TITLES: Record<string, string> = {
  cross_origin_isolation: 'This page is not cross-origin isolated',
  webtransport_missing: 'This browser has no WebTransport',
  webassembly_missing: 'This browser has no WebAssembly',
  wait_async_missing: 'This browser has no Atomics.waitAsync',
  config_load_failed: 'The server did not say where the kernel is',
  wasm_load_failed: 'The kernel could not be loaded',
  wasm_bad_module: 'The kernel is no WebAssembly module',
  wasm_instantiate_failed: 'The kernel could not be instantiated',
  wasm_no_memory: 'There is no memory for the kernel',
  csp_refused: "This page's Content-Security-Policy is in the way",
  worker_failed: "The kernel's Worker did not start",
  boot_timeout: 'The kernel did not become ready',
  kernel_crashed: 'The kernel crashed',
};

export function mountPage(inos: Inos): void {
  const boot = new BootView();
  const log = new LogView();
  const form = new JobForm(inos);
  const clock = new ClockNotice();
  const nodes = nodesTable();
  const jobs = jobsTable();
  const capsules = capsulesTable(inos, (what, call) => {
    call().then(
      () => log.add('console', `${what}: done`),
      (thrown: unknown) => log.add('console', `${what}: ${asFailure(thrown, 'internal').message}`, 'error'),
    );
  });
  byId('nodes').append(nodes.element);
  byId('capsules').append(capsules.element);
  byId('jobs').append(jobs.element);
  showHints();

  let timer: ReturnType<typeof setTimeout> | undefined;
  let poll: ReturnType<typeof setInterval> | undefined;
  const end = new AbortController();
  let over = false;
  const kept = deferred<void>(); // resolves when the browser keeps this page from the mesh

  const refresh = async () => {
    timer = undefined;
    if (over) return;
    try {
      const [n, c, j, status, balances] = await Promise.all([
        inos.nodes(),
        inos.capsules(),
        inos.jobs(),
        inos.status(),
        inos.ledger(),
      ]);
      boot.means(
        balances.find((row) => row.own),
        status,
      );
      nodes.show([...n].sort((a, b) => Number(b.self) - Number(a.self) || b.score - a.score));
      capsules.show(c);
      jobs.show(j);
    } catch (thrown) {
      if (!over) log.add('page', asFailure(thrown, 'internal').message, 'error');
    }
  };
  const soon = () => {
    if (boot.state !== 'booting') timer ??= setTimeout(() => void refresh(), REFRESH_MS);
  };

  const ended = (error: InosFailure) => {
    over = true;
    end.abort();
    clearTimeout(timer);
    clearInterval(poll);
    form.disable();
    const closed = error.code === 'kernel_closed';
    boot.setState(closed ? 'closed' : boot.state === 'booting' ? 'failed' : 'crashed');
    if (!closed) boot.notice('error', TITLES[error.code] ?? 'The kernel failed', error.message, error.code);
  };

  inos.on('*', (event: KernelEvent) => {
    if (event.type === 'phase') boot.reached(event as unknown as Phase);
    if (event.type === 'mesh:joined') boot.joined();
    if (event.type === 'mesh:unreachable' && event.code === 'local_network_denied') kept.resolve();
    if (event.type === 'mesh:parted') boot.setState('apart');
    if (event.type === 'clock:offset') clock.heed(boot, event as unknown as ClockEvent);
    if (event.type === 'crashed' || event.type === 'closed')
      ended(asFailure({ name: 'InosError', ...event }, 'kernel_crashed'));
    log.heed(event);
    soon();
  });

  inos.ready.then(
    async (info) => {
      if (boot.state === 'booting') boot.setState('ready');
      boot.who(info);
      showStorage(boot, info, end.signal);
      poll = setInterval(() => !document.hidden && soon(), POLL_MS);
      await refresh();
      try {
        form.enable(await inos.catalog(), info.ledgerId);
      } catch (thrown) {
        log.add('page', asFailure(thrown, 'internal').message, 'error');
      }
    },
    () => {}, // the 'crashed' event had the same reason
  );
  inos.joined.catch((thrown: unknown) => {
    if (over || boot.state === 'joined') return;
    const { code, message } = asFailure(thrown, 'bootstrap_unreachable');
    boot.setState('apart');
    const notice = boot.notice(
      'warning',
      'No node of the mesh answered',
      `The kernel runs alone: capsules work here, jobs for other nodes do not. It goes on trying.\n${message}`,
      code,
    );
    void kept.promise.then(() => {
      if (!notice.isConnected) return; // a node has answered meanwhile
      notice.remove();
      boot.notice(
        'warning',
        'The browser keeps this page from the local network',
        "The nodes it knows are on this machine or in the local network, and the browser asks its user before a page of the Internet reaches those. Answer its question, or allow local network access for this site in the browser's site settings; the kernel goes on trying. Until then it runs alone.\n" +
          message,
        'local_network_denied',
      );
    });
  });
}
