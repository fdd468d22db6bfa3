// Code generated from the sentinels of the Go packages by go generate ./internal/fault. DO NOT EDIT.

/** The shell's own codes after which the same call, or a reload, may succeed. */
export const RETRYABLE: ReadonlySet<string> = new Set([
  'boot_timeout',
  'bootstrap_unreachable',
  'config_load_failed',
  'deadline',
  'too_many_calls',
  'wasm_load_failed',
  'wasm_no_memory',
]);
