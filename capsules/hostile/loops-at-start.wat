;; Does not come to inos_run.
(func $run (export "inos_run") (loop $again (br $again)))
(start $run)
