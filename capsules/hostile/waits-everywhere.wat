;; Waits once on each of 3000 words, none of which holds what it expects: a host that keeps
;; something for each word would keep much.
(func $run (export "inos_run") (local $at i32)
  (local.set $at (i32.const 20480))
  (loop $again
    (drop (memory.atomic.wait32 (local.get $at) (i32.const 1) (i64.const -1)))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (br_if $again (i32.lt_u (local.get $at) (i32.const 32480))))
  (loop $forever (br $forever)))
