;; Looks for what an instance before it may have left, wherever one can leave something, and
;; panics with the name of the place if there is anything. Then it leaves something in all of
;; them, says so with a ring, and ends as the memory epoch, which its host chooses, says
;; (internal/capsule/hostile/residue.go has the numbers).
(module
  (import "env" "memory" (memory 3 16 shared))
  (global (export "inos_control") i32 (i32.const 1024))
  (global $global (mut i32) (i32.const 7))
  (table $table 2 8 funcref)
  (elem (i32.const 0) $one)
  (elem declare func $two)
  (data (i32.const 1024) "INOS" "\03\00\00\00" "\00\20\00\00" "\00\10\00\00" "\00\40\00\00" "\00\10\00\00" "\01\00\00\00")
  (data (i32.const 4096) "global" "table!" "length" "memory" "asked!") ;; 30 bytes

  (func $one)
  (func $two)

  (func $ring
    (drop (i32.atomic.rmw.add (i32.const 1348) (i32.const 1)))
    (i32.atomic.store (i32.const 1408) (i32.const 0))
    (drop (memory.atomic.notify (i32.const 1408) (i32.const 1))))

  ;; Panics with six bytes of text.
  (func $panic (param $text i32)
    (i64.store (i32.const 1472) (i64.load (local.get $text)))
    (i32.atomic.store (i32.const 1052) (i32.const 6))
    (i32.atomic.store (i32.const 1048) (i32.const 4))
    (call $ring)
    (unreachable))

  ;; The words of [from, to) are all zeros.
  (func $zeros (param $from i32) (param $to i32)
    (loop $next
      (if (i32.lt_u (local.get $from) (local.get $to)) (then
        (if (i64.ne (i64.load (local.get $from)) (i64.const 0)) (then
          (memory.copy (i32.const 1472) (i32.const 4114) (i32.const 6))
          (i32.atomic.store (i32.const 1052) (i32.const 6))
          (i32.atomic.store (i32.const 1048) (i32.const 4))
          (call $ring)
          (unreachable)))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (br $next)))))

  (func (export "inos_run") (local $how i32)
    (local.set $how (i32.and (i32.atomic.load (i32.const 1092)) (i32.const 7)))
    (if (i32.ne (memory.size) (i32.const 3)) (then (call $panic (i32.const 4108))))
    (if (i32.ne (global.get $global) (i32.const 7)) (then (call $panic (i32.const 4096))))
    (if (i32.ne (table.size $table) (i32.const 2)) (then (call $panic (i32.const 4102))))
    (if (ref.is_null (table.get $table (i32.const 0))) (then (call $panic (i32.const 4102))))
    (if (i32.eqz (ref.is_null (table.get $table (i32.const 1)))) (then (call $panic (i32.const 4102))))
    ;; Of the control block the host writes [1088, 1152) and [1408, 1412).
    (call $zeros (i32.const 0) (i32.const 1024))
    (call $zeros (i32.const 1056) (i32.const 1088))
    (call $zeros (i32.const 1152) (i32.const 1408))
    (call $zeros (i32.const 1416) (i32.const 4096))
    (call $zeros (i32.const 4128) (i32.const 196608))

    (global.set $global (i32.const 8))
    (table.set $table (i32.const 0) (ref.null func))
    (table.set $table (i32.const 1) (ref.func $two))
    (drop (table.grow $table (ref.func $two) (i32.const 3)))
    (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 1024))
    (memory.fill (i32.const 1480) (i32.const 0xa5) (i32.const 2616))
    (memory.fill (i32.const 4126) (i32.const 0xa5) (i32.const 192482))
    (i32.store (i32.const 1056) (i32.const 1)) ;; Busy
    (i32.store (i32.const 1216) (i32.const -1)) ;; command ring, head
    (i32.store (i32.const 1344) (i32.const -1)) ;; event ring, tail
    (if (i32.eq (local.get $how) (i32.const 1)) (then
      (drop (memory.grow (i32.const 2)))
      (memory.fill (i32.const 196608) (i32.const 0xa5) (i32.const 131072))))
    (i32.atomic.store (i32.const 1060) (i32.const 1)) ;; Frozen: it has left it all
    (call $ring)
    (if (i32.eq (local.get $how) (i32.const 2)) (then (unreachable)))
    (if (i32.eq (local.get $how) (i32.const 3)) (then (call $panic (i32.const 4120))))
    (if (i32.eq (local.get $how) (i32.const 4)) (then (loop $on (br $on))))
    (if (i32.eq (local.get $how) (i32.const 5)) (then (return)))
    (loop $again
      (drop (memory.atomic.wait32 (i32.const 1220) (i32.const 0) (i64.const -1)))
      (br_if $again (i32.eqz (i32.atomic.load (i32.const 1088)))))
    ;; What it does last, it does when it has been told to end.
    (if (i32.eq (local.get $how) (i32.const 6)) (then (unreachable)))
    (if (i32.eq (local.get $how) (i32.const 7)) (then (drop (memory.grow (i32.const 1)))))
    (memory.fill (i32.const 1088) (i32.const 0xa5) (i32.const 128))))
