// The notice while this machine's clock differs from those of its peers.
import type { ClockEvent } from '../../kernel';
import type { BootView } from './boot';

/** Shows the notice for as long as the clock is wrong; nothing that the kernel does depends on it. */
export class ClockNotice {
  #notice: HTMLElement | null = null;

  heed(boot: BootView, { wrong, message }: ClockEvent): void {
    this.#notice?.remove();
    this.#notice = wrong
      ? boot.notice(
          'warning',
          "This machine's clock is wrong",
          `${sentence(message)} Jobs go on: they are timed by how much the clocks differ. Set the clock right; other things on this machine may depend on it.`,
          'clock_offset',
        )
      : null;
  }
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
