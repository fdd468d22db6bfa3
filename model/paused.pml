/* A capsule that is paused under a stream: its inbox is full, so it takes nothing out
 * of its ring, and lifecycle commands have to reach it all the same. The host keeps
 * SPARE cells of the ring for them (internal/capsule/pump.go flushAt, producer.go push) and
 * lets them overtake what has no room; the capsule takes them out from among the unread
 * frames and leaves a SKIP behind (capsules/sdk/src/ring.rs take_ahead, link.rs turn,
 * idle). A frame takes one cell, the inbox holds one frame; the host hears of room by
 * the bell, as in commands.pml, without the listening word. There is no timer. */
#define SIZE 4
#define DATA 6   /* frames of the stream, 0 ... DATA-1: more than inbox and ring hold */
#define RESUME 8 /* the command */
#define SKIP 9
#ifdef BREAK_NO_SPARE /* data may fill the ring */
#define SPARE 0
#else
#define SPARE 1
#endif
#define MASK 15
#define used(t, h) ((t - h) & MASK)

byte cell[SIZE];
byte head, tail, doorbell;
bit  waiting;
bool capsule_asleep;
byte due, resumed;
bit  posted; /* the command is in the outbox */
chan bell = [1] of { bit };
chan wake = [1] of { bit };

inline ring_host() { if :: bell!1 :: full(bell) fi }

inline resume() {
  resumed++;
  assert(resumed == 1); /* it is carried out once */
  paused = 0
}

active proctype Capsule() {
  byte inbox, t, h, searched, at, n, was;
  bit  paused = 1, freed, news, holds;
  do
  :: /* turn */
     do
     :: !holds ->
        atomic { h = head; t = tail };
        if
        :: used(t, h) == 0 -> break
        :: else
        fi;
        n = cell[h % SIZE];
        head = (h + 1) & MASK;
        freed = 1;
        if
        :: n == SKIP
        :: n == RESUME -> resume()
        :: else -> inbox = n; holds = 1
        fi
     :: else -> break
     od;
     /* A place that was consumed meanwhile is none. */
     if
     :: used(searched, head) > used(tail, head) -> searched = head
     :: else
     fi;
     if
     :: freed && waiting -> ring_host()
     :: else
     fi;
     freed = 0;
     if
     :: holds ->
        do
        :: atomic { t = tail; at = searched };
           if
           :: used(at, head) >= used(t, head) -> break
           :: else
           fi;
           searched = (at + 1) & MASK;
           if
           :: cell[at % SIZE] == RESUME ->
#ifndef BREAK_NO_SKIP /* leaves the command where it is */
              cell[at % SIZE] = SKIP;
#endif
              resume()
           :: else
           fi
        od
     :: else
     fi;
     atomic { t = 0; h = 0; at = 0; n = 0 };
     /* the loop: next, or idle */
     if
     :: holds && !paused ->
        assert(inbox == due); /* none lost, none overtaken */
        due++;
        holds = 0
     :: else ->
        was = doorbell;
#ifdef BREAK_IDLE /* goes to sleep without looking for what came since */
        news = 0;
#else
        if
        :: holds -> news = (tail != searched)
        :: else -> news = (used(tail, head) != 0)
        fi;
#endif
        if
        :: news
        :: else ->
           atomic { if :: doorbell == was -> capsule_asleep = true :: else fi };
end_idle:
           !capsule_asleep
        fi
     fi
  od
}

/* Whether there is room for a frame and spare cells more: sets ok. */
inline await(spare) {
  ok = (SIZE - used(next, seen) >= 1 + spare);
  if
  :: ok
  :: else ->
     seen = head;
     ok = (SIZE - used(next, seen) >= 1 + spare);
     if
     :: !ok && !waits -> waiting = 1; waits = 1;
        seen = head;
        ok = (SIZE - used(next, seen) >= 1 + spare)
     :: else
     fi
  fi
}

inline push(n) {
  cell[next % SIZE] = n;
  next = (next + 1) & MASK;
  tail = next;
  rings++;
  doorbell = rings;
  capsule_asleep = false
}

active proctype Pump() {
  byte next, seen, rings, n;
  bit  ok, stuck, waits, sent;
  do
  :: stuck = 0;
     do
     :: n < DATA && !stuck ->
        await(SPARE);
        if
        :: ok -> push(n); n++
        :: else -> stuck = 1
        fi
     :: else -> break
     od;
     if
     :: posted && !sent ->
#ifdef BREAK_IN_ORDER /* the command waits behind the data that has no room */
        if :: stuck -> ok = 0 :: else -> await(0) fi;
#else
        await(0);
#endif
        if
        :: ok -> push(RESUME); sent = 1
        :: else -> stuck = 1
        fi
     :: else
     fi;
     if
     :: !stuck && waits -> waits = 0; waiting = 0
     :: else
     fi;
end_idle:
     if
     :: bell?_
     :: wake?_
     fi
  od
}

active proctype Commander() {
  posted = 1;
  wake!1
}

/* The stream is taken, whole and in order, and the command was carried out. */
active proctype Watch() {
  due == DATA && resumed == 1
}
