/* Both rings at once: the host sends commands (internal/capsule/producer.go Push, pump.go
 * flush, hurry.go sendNow), the capsule takes them, answers each
 * (capsules/sdk/src/link.rs turn, send, idle) and the host reads the answers, by its
 * pump (Drain) or by who looks for one (hear, pop). Counters and waits as in
 * events.pml, and the listening word with which the host sleeps; a frame's cells are
 * written and read in one step, since events.pml has torn ones.
 *
 * With -DDATA the frames are a stream's, which nobody answers. With -DHEAR who sends
 * a command looks for its answer beside the pump. With -DFREEZE the
 * memory is copied once at any moment (take.go freeze, thaw; link/commands.rs freeze).
 *
 * A host that finds the command ring full sets cwaiting, looks once more, and then
 * hears of room when the capsule rings: it does so after a turn that has moved the
 * head, if it then finds cwaiting set. There is no timer. */
#ifndef SIZE
#define SIZE 4
#endif
#if defined(HEAR) || defined(FREEZE) /* more goes on, with fewer frames */
#define FRAMES 2
#else
#define FRAMES 3
#endif
#ifdef LAST_LONG /* the length of a frame, in cells */
#define LENGTH(n) (n == 0 -> 3 : (n == 1 -> 2 : 4))
#else
#define LENGTH(n) (SIZE / 2 - n % (SIZE / 2))
#endif
#define ANSWERS 2 /* cells of the event ring: an answer takes one */
#ifdef HEAR
#define POSTED 0 /* Caller posts them */
#else
#define POSTED FRAMES
#endif
#define MASK 15
#define used(t, h) ((t - h) & MASK)

byte cell[SIZE], answer[ANSWERS];
byte chead, ctail, cdoorbell;
byte ehead, etail, edoorbell, espace;
bit  ewaiting, cwaiting, listening;
bool capsule_asleep, sender_asleep, listener_asleep;
byte obeyed, answered;
chan bell = [1] of { bit }; /* the doorbell channel */
chan wake = [1] of { bit }; /* somebody left something in the outbox */

/* The host's own, under Capsule.mu: the producer and the outbox. */
bit  mu;
byte posted = POSTED, sent, next, seen, rings; /* frames posted, of which sent are in the ring */
bit  waits;                           /* Producer.waits */
/* Under Capsule.hearing: the consumer. */
bit  hearing;
byte from, spaces;

#ifdef FREEZE
bit  held, freeze, frozen, copied;
chan turned = [1] of { bit };
#endif

inline lock(m) { atomic { !m -> m = 1 } }

/* The capsule rings the host. */
inline ring_host() {
#ifdef BREAK_EARLY_LOOK /* looks whether the host listens before it rings */
  heard = listening;
#endif
  edoorbell++; /* its only writer */
#ifndef BREAK_EARLY_LOOK
  heard = listening;
#endif
  if
  :: heard -> listening = 0; listener_asleep = false
  :: else
  fi;
  heard = 0
}

inline reply(n) {
  atomic { t = etail; h = ehead }; /* the tail is its own */
  if
  :: ANSWERS - used(t, h) < 1 -> ok = false
  :: else ->
     answer[t % ANSWERS] = n;
     etail = (t + 1) & MASK;
     ring_host();
     t = 0; h = 0;
     ok = true
  fi
}

active proctype Capsule() {
  byte t, h, i, n, cells, was, u;
  bool ok, freed;
  bit  heard;
  do
  :: /* turn */
#ifdef BREAK_EARLY_RING /* looks for a waiting host before it makes room */
     if
     :: cwaiting -> ring_host()
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
        atomic {
          n = cell[h % SIZE];
          assert(n == obeyed); /* the next one due: none lost, torn or taken twice */
          cells = LENGTH(n);
          assert(cells <= u);
          i = 1;
          do
          :: i < cells -> assert(cell[(h + i) % SIZE] == n); i++
          :: else -> break
          od;
          i = 0
        };
        atomic { chead = (h + cells) & MASK; obeyed++; freed = true; h = 0; t = 0; u = 0; cells = 0 };
#ifndef DATA
        /* send */
        do
        :: reply(n);
           if :: ok -> break :: else fi;
           ewaiting = 1;
           was = espace;
           reply(n);
           if :: ok -> ewaiting = 0; break :: else fi;
           atomic {
             if
             :: espace == was -> sender_asleep = true
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
        :: cwaiting -> ring_host()
        :: else
        fi
     :: else
     fi;
#endif
     atomic { t = 0; h = 0; n = 0; cells = 0; i = 0; u = 0; freed = false };
#ifdef FREEZE
     if
     :: freeze && !frozen ->
        frozen = 1;
        ring_host();
        do
        :: was = cdoorbell;
           if :: !freeze -> break :: else fi;
           atomic { if :: cdoorbell == was -> capsule_asleep = true :: else fi };
           !capsule_asleep
        od
     :: else
     fi;
#endif
     /* idle */
     was = cdoorbell;
#ifndef BREAK_IDLE /* goes to sleep without looking at the ring again */
     if
     :: used(ctail, chead) != 0
#if defined(FREEZE) && !defined(BREAK_FREEZE_UNSEEN) /* or at the request that rang before */
     :: freeze && !frozen
     :: used(ctail, chead) == 0 && !(freeze && !frozen) ->
#else
     :: else ->
#endif
#else
     if
     :: true ->
#endif
        atomic {
          if
          :: cdoorbell == was -> capsule_asleep = true
          :: else
          fi
        };
end_idle:
        !capsule_asleep
     fi
  od
}

/* Sleeps on the listening word: web/src/capsule/instance.ts or wazero's listen. */
active proctype Listener() {
  byte was;
  do
  :: listening = 1;
     if
     :: edoorbell == was ->
        atomic { if :: listening -> listener_asleep = true :: else fi }
     :: else
     fi;
end_idle:
     !listener_asleep;
     listening = 0;
     was = edoorbell;
     if
     :: bell!1
     :: full(bell)
     fi
  od
}

/* Moves the head past what was read, and wakes a capsule that waits for room. */
inline advance(to) {
  atomic { from = to; ehead = from };
  if
  :: ewaiting -> atomic { spaces++; espace = spaces }; sender_asleep = false
  :: else
  fi
}

/* Knocks: the bell of the capsule. */
inline knock() {
  atomic { rings++; cdoorbell = rings };
  capsule_asleep = false
}

/* flushAt, with mu held: the outbox goes into the command ring while there is room.
 * What only the host can see is one step with the access that the capsule can. */
inline flush() {
  stuck = false;
  do
#ifdef FREEZE
  :: atomic { !held && sent < posted -> cells = LENGTH(sent) };
#else
  :: atomic { sent < posted -> cells = LENGTH(sent) };
#endif
     if
     :: atomic {
          SIZE - used(next, seen) < cells ->
          seen = chead;
          assert(used(next, seen) <= SIZE)
        }
     :: else
     fi;
     if
     :: atomic { SIZE - used(next, seen) < cells -> stuck = waits };
#ifndef BREAK_NO_WAITING /* sleeps without saying that it waits */
        if
        :: !stuck ->
           atomic { cwaiting = 1; waits = 1 };
#ifndef BREAK_NO_SECOND_LOOK /* sleeps without looking at the head again */
           seen = chead
#endif
        :: else
        fi;
#endif
        atomic {
          if
          :: SIZE - used(next, seen) < cells -> stuck = true; break
          :: else -> stuck = false
          fi
        }
     :: else
     fi;
#ifdef BREAK_OVERWRITE /* believes in room that it has not looked for */
     seen = next;
#endif
     atomic {
       do
       :: i < cells -> cell[(next + i) % SIZE] = sent; i++
       :: else -> break
       od;
       i = 0
     };
     atomic { next = (next + cells) & MASK; ctail = next };
     knock();
     sent++
  :: else -> break
  od;
  if
  :: atomic { !stuck && waits && sent == posted -> waits = 0; cwaiting = 0 }
  :: else
  fi;
  cells = 0
}

active proctype Pump() {
  byte cells, i, t, u;
  bool stuck;
  do
  :: lock(hearing);
     /* Drain */
     atomic { t = etail; u = used(t, from); assert(u <= ANSWERS) };
     if
     :: u != 0 ->
        atomic {
          i = 0;
          do
          :: i < u ->
             assert(answer[(from + i) % ANSWERS] == answered + i);
             i++
          :: else -> break
          od;
          i = 0
        };
        advance(t);
        answered = answered + u
     :: else
     fi;
     atomic { t = 0; hearing = 0 };
     lock(mu);
     flush();
     mu = 0;
#ifdef FREEZE
     if
     :: turned!1
     :: full(turned)
     fi;
#endif
     if
     :: u != 0 -> u = 0 /* more: there may be further events */
     :: else ->
end_idle:
        if
        :: bell?_
        :: wake?_
        fi
     fi
  od
}

#ifdef HEAR
/* Who sends commands: what has no room is left to the pump, and the answer may be
 * looked for here. Only what leads the ring is taken. */
active proctype Caller() {
  byte cells, i, t, was;
  bool stuck;
  do
  :: posted < FRAMES ->
     lock(mu);
     atomic { was = edoorbell; posted++ };
     flush();
     mu = 0;
     if
     :: stuck -> if :: wake!1 :: full(wake) fi
     :: else ->
        if
        :: edoorbell != was -> /* it looked, and something came */
           atomic { if :: !hearing -> hearing = 1; stuck = false :: else -> stuck = true fi };
           do
           :: stuck -> break
           :: else ->
              atomic { t = etail; if :: used(t, from) == 0 -> break :: else -> assert(answer[from % ANSWERS] == answered) fi };
#ifdef BREAK_HEAR_WITHOUT_LOCK /* takes an answer that the pump is taking, too */
              hearing = 0;
#endif
              advance((from + 1) & MASK);
              answered++
           od;
           if :: stuck :: else -> hearing = 0 fi
        :: else
        fi
     fi;
     atomic { t = 0; was = 0; stuck = false }
  :: else -> break
  od
}
#endif

#ifdef FREEZE
active proctype Copier() {
  byte head, tail;
  lock(mu);
  held = 1;
  freeze = 1;
  knock();
  mu = 0;
  do
  :: frozen -> break
  :: else -> turned?_
  od;
  /* The copy: the capsule touches nothing, and nobody writes into its ring. */
  atomic { head = chead; tail = etail };
  copied = 1;
  assert(head == chead && tail == etail);
  lock(mu);
#ifndef BREAK_STAYS_HELD /* does not let the ring go on */
  held = 0;
#endif
  freeze = 0;
#ifndef BREAK_THAW_UNHEARD /* does not wake the capsule */
  knock();
#endif
  mu = 0;
  if :: wake!1 :: full(wake) fi
}
#endif

/* Everything sent is taken, and every answer comes back. */
active proctype Watch() {
  obeyed == FRAMES;
#ifndef DATA
  answered == FRAMES;
#endif
#ifdef FREEZE
  copied && !freeze && !held
#else
  skip
#endif
}
