;; A LogEvent whose text is a list of 2^29-1 elements of no size.
(data (i32.const 16464)
  "\28\00\00\00\09\00\00\00" ;; a frame of 40 bytes, a LogEvent
  "\00\00\00\00\04\00\00\00\00\00\00\00\02\00\01\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\01\00\00\00\f8\ff\ff\ff")
(data (i32.const 1344) "\80\00\00\00")
(func (export "inos_run") (call $linger))
