;; What every capsule of this folder begins with, but those that are modules of their
;; own: a shared memory, a control block at 1024 that says the capsule runs, a command
;; ring at 8192 and an event ring at 16384, of 4096 bytes each, and a good first
;; heartbeat in the event ring. scripts/assemble-hostile.mjs puts it in front; what a
;; file's own data says at the same place counts. docs/capsules.md has the offsets.
(import "env" "memory" (memory 2 16 shared))
(global (export "inos_control") i32 (i32.const 1024))
(data (i32.const 1024)
  "INOS" "\03\00\00\00"              ;; magic, ABI version
  "\00\20\00\00" "\00\10\00\00"  ;; command ring
  "\00\40\00\00" "\00\10\00\00"  ;; event ring
  "\01\00\00\00")                    ;; running
(data (i32.const 1344) "\50\00\00\00") ;; event tail: 80 bytes are unread
(data (i32.const 16384)
  "\48\00\00\00" "\03\00\00\00" ;; a frame of 72 bytes, a HealthHeartbeat:
    "\00\00\00\00\08\00\00\00\00\00\00\00\06\00\01\00"
    "\01\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00") ;; healthy, sequence 1, memory epoch 1

;; Adds one to the event doorbell and wakes the host.
(func $ring
  (drop (i32.atomic.rmw.add (i32.const 1348) (i32.const 1)))
  (i32.atomic.store (i32.const 1408) (i32.const 0))
  (drop (memory.atomic.notify (i32.const 1408) (i32.const 1))))

;; Does nothing until it is killed: what comes before it is what is wrong.
(func $linger
  (loop $again (br_if $again (i32.eqz (i32.atomic.load (i32.const 1088))))))
