// The Go program's output to stdout and stderr: its lines go to the console and to the listeners,
// and the last of them are kept for the report of a crash.

const KEPT = 80;

export class Output {
  readonly #decoders = new Map<number, { decoder: TextDecoder; rest: string }>();
  readonly #last: string[] = [];
  readonly #onLine: (line: string, fd: number) => void;

  constructor(onLine: (line: string, fd: number) => void) {
    this.#onLine = onLine;
  }

  /** Replaces wasm_exec.js's writeSync. */
  readonly writeSync = (fd: number, bytes: Uint8Array): number => {
    const stream = this.#decoders.get(fd) ?? { decoder: new TextDecoder(), rest: '' };
    this.#decoders.set(fd, stream);
    const lines = (stream.rest + stream.decoder.decode(bytes, { stream: true })).split('\n');
    stream.rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#last.push(line);
      if (this.#last.length > KEPT) this.#last.shift();
      this.#onLine(line, fd);
    }
    return bytes.length;
  };

  /** The panic or fatal error among the last lines, otherwise the last lines. */
  lastWords(): string {
    const start = this.#last.findIndex((line) => /^(panic|fatal error|runtime: )/.test(line));
    return (start < 0 ? this.#last.slice(-5) : this.#last.slice(start, start + 12)).join('\n');
  }
}
