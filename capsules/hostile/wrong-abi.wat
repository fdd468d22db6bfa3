;; Speaks ABI version 9.
(data (i32.const 1028) "\09\00\00\00")
(func (export "inos_run") (call $linger))
