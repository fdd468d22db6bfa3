;; A message of four thousand million segments.
(data (i32.const 16464)
  "\10\00\00\00\09\00\00\00" ;; a frame of 16 bytes, a LogEvent
  "\fe\ff\ff\ff\01\00\00\00\00\00\00\00\00\00\00\00")
(data (i32.const 1344) "\68\00\00\00")
(func (export "inos_run") (call $linger))
