;; Wants more of its host than a memory.
(module
  (import "env" "memory" (memory 2 16 shared))
  (import "env" "fetch" (func))
  (global (export "inos_control") i32 (i32.const 1024))
  (func (export "inos_run")))
