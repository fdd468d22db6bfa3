;; Says that it is well once and never again.
(func $run (export "inos_run") (loop $again (br $again)))
