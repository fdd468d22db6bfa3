;; Waits for ever, and whoever wakes it finds it waiting again: a thousand times.
(func $run (export "inos_run") (local $n i32)
  (loop $again
    (drop (memory.atomic.wait32 (i32.const 4096) (i32.const 0) (i64.const -1)))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $n) (i32.const 1000))))
  (loop $again (br $again)))
