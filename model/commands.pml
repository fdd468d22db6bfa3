/* Both rings at once: the host sends commands (internal/capsule/ring.go Push,
 * pump.go flush), the capsule takes them, answers each (capsules/sdk/src/link.rs
 * turn, send, idle) and the host reads the answers. Cells, counters and waits as
 * in events.pml.
 *
 * With -DDATA the frames are a stream's, which nobody answers.
 *
 * A host that finds the command ring full sets cwaiting, looks once more, and then
 * hears of room when the capsule rings: it does so after a turn that has moved the
 * head, if it then finds cwaiting set. There is no timer. */
#ifndef SIZE
#define SIZE 4
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifdef LAST_LONG /* the length of a frame, in cells */
#define LENGTH(n) (n == 0 -> 3 : (n == 1 -> 2 : 4))
#else
#define LENGTH(n) (SIZE / 2 - n % (SIZE / 2))
#endif
#define ANSWERS 2 /* cells of the event ring: an answer takes one */
#define MASK 15
#define used(t, h) ((t - h) & MASK)

byte cell[SIZE], answer[ANSWERS];
byte chead, ctail, cdoorbell;
byte ehead, etail, edoorbell, espace;
bit  ewaiting, cwaiting;
bool capsule_asleep, sender_asleep, listener_asleep;
byte obeyed, answered;
bool stuck; /* the host has a frame that found no room */
chan bell = [1] of { bit };

inline reply(n) {
  atomic { t = etail; h = ehead }; /* the tail is its own */
  if
  :: ANSWERS - used(t, h) < 1 -> ok = false
  :: else ->
     answer[t % ANSWERS] = n;
     etail = (t + 1) & MASK;
     edoorbell++; /* its only writer */
     listener_asleep = false;
     t = 0; h = 0;
     ok = true
  fi
}

active proctype Capsule() {
  byte t, h, i, n, cells, seen, u;
  bool ok, freed;
  do
  :: /* turn */
#ifdef BREAK_EARLY_RING /* looks for a waiting host before it makes room */
     if
     :: cwaiting -> edoorbell++; listener_asleep = false
     :: else
     fi;
#endif
     do
     :: atomic { h = chead; t = ctail; u = used(t, h) };
        assert(u <= SIZE);
        if
        :: u == 0 -> break
        :: else
        fi;
        n = cell[h % SIZE];
        assert(n == obeyed); /* the next one due: none lost, torn or taken twice */
        cells = LENGTH(n);
        assert(cells <= u);
        i = 1;
        do
        :: i < cells -> assert(cell[(h + i) % SIZE] == n); i++
        :: else -> break
        od;
        chead = (h + cells) & MASK;
        obeyed++;
        freed = true;
#ifndef DATA
        /* send */
        do
        :: reply(n);
           if :: ok -> break :: else fi;
           ewaiting = 1;
           seen = espace;
           reply(n);
           if :: ok -> ewaiting = 0; break :: else fi;
           atomic {
             if
             :: espace == seen -> sender_asleep = true
             :: else
             fi
           };
           !sender_asleep;
           ewaiting = 0
        od;
#endif
        skip
     od;
#ifndef BREAK_EARLY_RING
     if
     :: freed ->
        if
        :: cwaiting -> edoorbell++; listener_asleep = false
        :: else
        fi
     :: else
     fi;
#endif
     atomic { t = 0; h = 0; n = 0; cells = 0; i = 0; u = 0; freed = false };
     /* idle */
     seen = cdoorbell;
#ifndef BREAK_IDLE /* goes to sleep without looking at the ring again */
     if
     :: used(ctail, chead) != 0
     :: else ->
#else
     seen = cdoorbell;
     if
     :: true ->
#endif
        atomic {
          if
          :: cdoorbell == seen -> capsule_asleep = true
          :: else
          fi
        };
end_idle:
        !capsule_asleep
     fi
  od
}

active proctype Listener() {
  byte seen;
  do
  :: atomic {
       if
       :: edoorbell == seen -> listener_asleep = true
       :: else
       fi
     };
end_idle:
     !listener_asleep;
     seen = edoorbell;
     if
     :: bell!1
     :: full(bell)
     fi
  od
}

active proctype Pump() {
  byte n, cells, next, seen, i, rings; /* the producer's */
  byte t, u, from, spaces;           /* the consumer's */
  seen = (0 - SIZE) & MASK;
  do
  :: /* Drain */
     t = etail;
     u = used(t, from);
     assert(u <= ANSWERS);
     if
     :: u != 0 ->
        i = 0;
        do
        :: i < u ->
           assert(answer[(from + i) % ANSWERS] == answered + i);
           i++
        :: else -> break
        od;
        from = t;
        ehead = from;
        if
        :: ewaiting -> spaces++; espace = spaces; sender_asleep = false
        :: else
        fi;
        answered = answered + u
     :: else
     fi;
     /* flush */
     stuck = false;
     do
     :: n < FRAMES ->
        cells = LENGTH(n);
        if
        :: SIZE - used(next, seen) < cells ->
           seen = chead;
           assert(used(next, seen) <= SIZE)
        :: else
        fi;
        if
        :: SIZE - used(next, seen) < cells ->
#ifndef BREAK_NO_WAITING /* sleeps without saying that it waits */
           if
           :: !cwaiting -> cwaiting = 1;
#ifndef BREAK_NO_SECOND_LOOK /* sleeps without looking at the head again */
              seen = chead
#endif
           :: else
           fi;
#endif
           if
           :: SIZE - used(next, seen) < cells -> stuck = true; break
           :: else
           fi
        :: else
        fi;
#ifdef BREAK_OVERWRITE /* believes in room that it has not looked for */
        seen = next;
#endif
        i = 0;
        do
        :: i < cells -> cell[(next + i) % SIZE] = n; i++
        :: else -> break
        od;
        next = (next + cells) & MASK;
        ctail = next;
        rings++;
        cdoorbell = rings;
        capsule_asleep = false;
        n++
     :: else -> break
     od;
     if
     :: !stuck && cwaiting -> cwaiting = 0
     :: else
     fi;
     if
     :: u != 0 /* more: there may be further events */
     :: else ->
        if
#ifdef DATA
        :: n == FRAMES && !stuck -> break
#else
        :: answered == FRAMES -> break
#endif
        :: else
        fi;
        bell?_
     fi
  od
}

/* Everything sent is taken; that every answer comes back is Pump's own end. */
active proctype Watch() {
  obeyed == FRAMES
}
