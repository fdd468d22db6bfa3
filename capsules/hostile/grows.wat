;; Takes all memory there is, page by page, and then is silent.
(func $run (export "inos_run")
  (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (loop $forever (br $forever)))
