;; A message whose root lies beyond its segment.
(data (i32.const 16464)
  "\10\00\00\00\09\00\00\00" ;; a frame of 16 bytes, a LogEvent
  "\00\00\00\00\01\00\00\00\00\00\00\00\01\00\ff\ff")
(data (i32.const 1344) "\68\00\00\00")
(func (export "inos_run") (call $linger))
