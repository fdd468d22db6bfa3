;; Takes a gigabyte, page by page, writes to each page, and never says that it is ready.
(module
  (import "env" "memory" (memory 2 16384 shared))
  (global (export "inos_control") i32 (i32.const 1024))
  (data (i32.const 1024)
    "INOS" "\03\00\00\00"
    "\00\20\00\00" "\00\10\00\00"
    "\00\40\00\00" "\00\10\00\00"
    "\01\00\00\00")
  (func (export "inos_run") (local $page i32)
    (loop $again
      (local.set $page (memory.grow (i32.const 16)))
      (if (i32.ne (local.get $page) (i32.const -1))
        (then
          (memory.fill (i32.shl (local.get $page) (i32.const 16)) (i32.const 1) (i32.const 1048576))
          (br $again))))
    (loop $forever (br $forever))))
