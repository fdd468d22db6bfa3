;; Loops before its control block says anything.
(data (i32.const 1048) "\00\00\00\00")
(func $run (export "inos_run") (loop $again (br $again)))
