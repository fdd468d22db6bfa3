// Go's own wasm_exec.js. The Makefile copies it from the Go that builds the kernel, since both must
// be of one version.
declare class Go {
  argv: string[];
  env: Record<string, string>;
  exited: boolean;
  importObject: WebAssembly.Imports;
  /** Called with the exit code, just before `run` resolves. */
  exit: (code: number) => void;
  run(instance: WebAssembly.Instance): Promise<void>;
}

declare module '*/vendor/wasm_exec.js';
