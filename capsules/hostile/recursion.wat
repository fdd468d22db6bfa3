;; Uses the engine's stack up, not its own.
(func $deeper (param i64) (result i64)
  (i64.add (local.get 0) (call $deeper (i64.add (local.get 0) (i64.const 1)))))
(func $run (export "inos_run") (drop (call $deeper (i64.const 0))))
