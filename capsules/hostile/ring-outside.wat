;; Its event ring lies outside its memory.
(data (i32.const 1040) "\00\f0\ff\ff")
(func (export "inos_run") (call $linger))
