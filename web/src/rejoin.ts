// Finds the mesh again. The kernel dials its bootstrap nodes for as long as it lives, at the
// addresses that it was given. A node that was restarted has others: another port, another
// certificate, perhaps another key. /inos.json has the present ones.
import type { Kernel } from './api/console';

const FIRST_MS = 5_000;
const LONGEST_MS = 60_000;

/**
 * While the kernel has no peer, reads the bootstrap addresses again, at growing intervals, and
 * dials those that are not among `given`. Returns a function that stops it; the kernel's end stops
 * it too.
 */
export function rejoin(
  kernel: Pick<Kernel, 'call' | 'on'>,
  given: readonly string[],
  read: () => Promise<readonly string[]>,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let apart = 0; // counts the losses of the mesh; each look belongs to one of them
  const look = async (pause: number, time: number) => {
    const addresses = await read().catch(() => []); // the server may be unreachable too
    if (time !== apart) return;
    const news = addresses.filter((address) => !given.includes(address));
    await Promise.allSettled(news.map((address) => kernel.call('connect', [address])));
    if (time === apart) again(Math.min(2 * pause, LONGEST_MS), time);
  };
  const again = (pause: number, time: number) => {
    timer = setTimeout(() => void look(pause, time), pause * (1 + Math.random() / 4));
  };
  const joined = () => {
    apart++;
    clearTimeout(timer);
  };
  const offs = [
    kernel.on('mesh:parted', () => {
      joined();
      again(FIRST_MS, apart);
    }),
    kernel.on('mesh:joined', joined),
    kernel.on('closed', () => stop()),
    kernel.on('crashed', () => stop()),
  ];
  const stop = () => {
    joined();
    for (const off of offs) off();
  };
  again(FIRST_MS, apart); // the first join may fail, too
  return stop;
}
