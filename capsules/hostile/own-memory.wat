;; Has a memory of its own, which no host can read.
(module
  (memory (export "memory") 2 16 shared)
  (global (export "inos_control") i32 (i32.const 1024))
  (func (export "inos_run")))
