// What a Worker cannot observe: the user's activity on this page, and the battery. The kernel stops
// volunteer work while the user is active or the battery is low.
import type { HostSample } from '../boot';

interface Battery extends EventTarget {
  level: number;
  charging: boolean;
}

const INPUT = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;
const EVERY_MS = 5_000;

/** Sends a sample at each change, at most once a second for input, and every 5 s. Returns a function
 * that stops it. */
export function watchHost(send: (sample: HostSample) => void): () => void {
  const stop = new AbortController();
  let lastInput = performance.now();
  let lastSent = -Infinity;
  let battery: Battery | null = null;

  const sample = () => {
    lastSent = performance.now();
    send({
      idleMs: Math.round(lastSent - lastInput),
      hidden: document.hidden,
      battery: battery?.level ?? null,
      charging: battery?.charging ?? null,
    });
  };

  for (const type of INPUT) {
    addEventListener(
      type,
      () => {
        lastInput = performance.now();
        if (lastInput - lastSent >= 1000) sample();
      },
      { signal: stop.signal, passive: true, capture: true },
    );
  }
  document.addEventListener('visibilitychange', sample, { signal: stop.signal });
  const timer = setInterval(sample, EVERY_MS);
  sample();

  const source = navigator as Navigator & { getBattery?: () => Promise<Battery> };
  source.getBattery?.().then(
    (found) => {
      battery = found;
      found.addEventListener('levelchange', sample, { signal: stop.signal });
      found.addEventListener('chargingchange', sample, { signal: stop.signal });
      if (!stop.signal.aborted) sample();
    },
    () => {}, // not allowed here: the battery stays unknown
  );

  return () => {
    stop.abort();
    clearInterval(timer);
  };
}
