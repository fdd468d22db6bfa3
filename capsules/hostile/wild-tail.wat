;; More is unread than its ring holds.
(data (i32.const 1344) "\00\00\10\00")
(func (export "inos_run") (call $linger))
