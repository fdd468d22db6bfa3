;; Calls itself twice, 62 deep, without a loop: 2^62 calls.
(global $calls (mut i64) (i64.const 0))
(func $f (param i32)
  (if (i32.eqz (local.get 0))
    (then (global.set $calls (i64.add (global.get $calls) (i64.const 1))))
    (else
      (call $f (i32.sub (local.get 0) (i32.const 1)))
      (call $f (i32.sub (local.get 0) (i32.const 1))))))
(func (export "inos_run") (call $f (i32.const 62)))
