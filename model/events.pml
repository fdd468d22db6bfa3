/* The event ring: the capsule produces (capsules/sdk/src/ring.rs push,
 * link.rs send), the host consumes (internal/capsule/consumer.go Drain), woken by
 * the doorbell loop (web/src/capsule/instance.ts listen, or
 * internal/capsule/wazero/instance.go listen) and pump.go.
 *
 * The ring has SIZE cells of 8 bytes, a frame takes 1 to SIZE/2 of them, and
 * every cell carries the number of its frame, so that an overwrite, a torn frame
 * or one read twice trips an assertion. Every atomic access of the code is one
 * step here, and so is every cell copied. No wait has a timeout: a lost wake-up
 * is a state nobody can leave, which spin reports as an invalid end state.
 *
 * -DKILL lets the host kill the capsule at any moment: it must end wherever it
 * waits. The -DBREAK_... variants must be found wrong (scripts/model-check.sh). */
#ifndef SIZE
#define SIZE 4
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#define MASK 15 /* counters run modulo 16, a multiple of SIZE well above it */
#define used(t, h) ((t - h) & MASK)

byte cell[SIZE];
byte head, tail, doorbell, space;
bit  waiting, listening;
bool killed, capsule_asleep, listener_asleep;
byte delivered;
bool stopped;
chan bell = [1] of { bit }; /* the doorbell channel: several rings may be one */

/* One attempt of push: sets ok. */
inline push(n, cells) {
#ifdef BREAK_EARLY_LOOK /* looks whether the host listens before it rings */
  heard = listening;
#endif
  atomic { t = tail; h = head }; /* the tail is its own */
  if
  :: SIZE - used(t, h) < cells -> atomic { ok = false; t = 0; h = 0 }
  :: else ->
     i = 0;
#ifdef BREAK_TAIL_FIRST /* publishes the frame before it is written */
     tail = (t + cells) & MASK;
#endif
     do
     :: i < cells -> cell[(t + i) % SIZE] = n; i++
     :: else -> break
     od;
     tail = (t + cells) & MASK;
     doorbell++; /* its only writer */
#ifndef BREAK_EARLY_LOOK
     heard = listening;
#endif
     if
     :: heard ->
        listening = 0;
        listener_asleep = false /* notify */
     :: else
     fi;
     heard = 0;
     t = 0; h = 0; i = 0;
     ok = true
  fi
}

active proctype Capsule() {
  byte n, cells, t, h, i, seen;
  bool ok;
  bit heard;
  do
  :: n < FRAMES ->
     if :: cells = 1 :: cells = SIZE / 2 fi;
     do
     :: push(n, cells);
        if :: ok -> break :: else fi;
        waiting = 1;
        seen = space;
#ifdef BREAK_NO_SECOND_LOOK /* waits without looking at the head again */
        ok = false;
#else
        push(n, cells);
#endif
        if
        :: ok -> waiting = 0; break
        :: else
        fi;
        if :: killed -> waiting = 0; goto done :: else fi;
        /* memory.atomic.wait32: compares and goes to sleep in one step */
        atomic {
          if
          :: space == seen -> capsule_asleep = true
          :: else
          fi
        }
        !capsule_asleep;
        waiting = 0
     od;
     n++
  :: else -> break
  od;
done:
  stopped = true
}

/* Atomics.waitAsync on the word that says so, then the bell. */
active proctype Listener() {
  byte seen;
  do
  :: listening = 1;
#ifdef BREAK_SLEEP_ON_DOORBELL /* compares the doorbell as it goes to sleep, not the word */
     atomic { if :: doorbell == seen -> listener_asleep = true :: else fi };
#else
     if
     :: doorbell == seen ->
        atomic { if :: listening -> listener_asleep = true :: else fi }
     :: else
     fi;
#endif
end_idle:
     !listener_asleep;
     listening = 0;
     seen = doorbell;
     if
     :: bell!1
     :: full(bell)
     fi
  od
}

active proctype Pump() {
  byte next, t, i, n, u, k, spaces;
  byte copied[SIZE];
  do
  :: /* Drain */
     t = tail;
     u = used(t, next);
     assert(u <= SIZE);
     if
     :: u == 0 ->
        if
        :: killed -> goto gone
        :: else
        fi;
end_idle:
        bell?_
     :: else ->
#ifdef BREAK_HEAD_FIRST /* frees the cells before they are copied out */
        head = t;
#endif
        i = 0;
        do
        :: i < u -> copied[i] = cell[(next + i) % SIZE]; i++
        :: else -> break
        od;
        next = t;
        head = next;
        if
        :: waiting ->
#ifndef BREAK_NO_WAKE
           spaces++;
           space = spaces;
           capsule_asleep = false /* notify */
#else
           skip
#endif
        :: else
        fi;
        /* The batch holds whole frames, each the next one due: of one cell, or
         * of SIZE/2 equal ones. */
        atomic {
          k = 0;
          do
          :: k < u ->
             n = copied[k];
             assert(n == delivered);
             k++;
             do
             :: k < u && copied[k] == n -> k++
             :: else -> break
             od;
             delivered++
          :: else -> break
          od;
          k = 0;
          do
          :: k < SIZE -> copied[k] = 0; k++
          :: else -> break
          od;
          n = 0; k = 0; t = 0; u = 0; i = 0
        }
     fi
  od;
gone: skip
}

#ifdef KILL
active proctype Killer() {
  byte s;
  killed = true;
  s = space; /* Atomics.add: one step */
  atomic { s = space; space = s + 1 };
  capsule_asleep = false; /* notify */
  stopped /* blocks for ever, an invalid end state, if the capsule does not end */
}
#else
/* Everything sent arrives, once and in order (the order is asserted above). */
active proctype Watch() {
  stopped;
  delivered == FRAMES
}
#endif
