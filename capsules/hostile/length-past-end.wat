;; A frame of 65535 bytes in a ring of 4096.
(data (i32.const 16464) "\ff\ff\00\00" "\09\00\00\00")
(data (i32.const 1344) "\58\00\00\00")
(func (export "inos_run") (call $linger))
