;; A message whose root is a far pointer to itself.
(data (i32.const 16464)
  "\10\00\00\00\09\00\00\00" ;; a frame of 16 bytes, a LogEvent
  "\00\00\00\00\01\00\00\00\02\00\00\00\00\00\00\00")
(data (i32.const 1344) "\68\00\00\00")
(func (export "inos_run") (call $linger))
