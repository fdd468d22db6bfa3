;; Well-formed, and not valid: it drops from an empty stack.
(func $run (export "inos_run") drop)
