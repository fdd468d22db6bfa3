;; Unread bytes that are not even a header. The counters of a ring move by whole frames.
(data (i32.const 1344) "\54\00\00\00")
(func (export "inos_run") (call $linger))
