;; A LogEvent whose text is a struct that contains itself, as deep as one reads. A text that
;; is none reads as empty and nobody follows it: it is as silent as the next.
(data (i32.const 16464)
  "\28\00\00\00\09\00\00\00" ;; a frame of 40 bytes, a LogEvent
  "\00\00\00\00\04\00\00\00\00\00\00\00\02\00\01\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\fc\ff\ff\ff\00\00\01\00")
(data (i32.const 1344) "\80\00\00\00")
(func (export "inos_run") (call $linger))
