;; Has read more commands than there were.
(func $run (export "inos_run")
  (i32.atomic.store (i32.const 1152) (i32.const 0x40000000))
  (call $ring)
  (call $linger))
