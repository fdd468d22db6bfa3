;; Sleeps for ever before inos_run is called.
(func $run (export "inos_run")
  (drop (memory.atomic.wait32 (i32.const 4096) (i32.const 0) (i64.const -1))))
(start $run)
