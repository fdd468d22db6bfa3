;; Traps before inos_run is called.
(func $run (export "inos_run") unreachable)
(start $run)
