//! One turn after the other, with a host on the same thread.

use super::*;
use crate::shared_heap as heap;

const BLOCK: u32 = 1024;
const RING: u32 = 4096;
const FRAME: u32 = 1008;

struct Ends {
    link: Link<heap::Shared>,
    host: Ring,
    space: heap::Shared,
}

fn ends(start: u32) -> Ends {
    let space = heap::heap(64 << 10);
    let control = Control { space, at: BLOCK };
    let (host, events) = control.publish((4096, RING), (8192, RING));
    let mut ends = Ends { link: Link::new(control, host, events), host, space };
    ends.move_to(start);
    ends
}

impl Ends {
    fn move_to(&mut self, counters: u32) {
        self.space.store(self.host.head, counters);
        self.space.store(self.host.tail, counters);
    }

    /// Sends stream data that nobody works on: five frames fill the inbox, and two stay in the ring.
    fn flood(&mut self) {
        for n in 0..7 {
            assert!(self.host.push(&self.space, FRAME_DATA, &[0xff; FRAME as usize - 8]), "frame {n}");
            if n < 4 || n == 6 {
                self.link.turn();
            }
        }
        assert_eq!((self.host.used(&self.space), self.link.inbox_bytes), (2 * FRAME, 5 * FRAME));
    }

    fn work_off(&mut self) {
        while self.link.next().is_some() {
            self.link.turn();
        }
        assert_eq!(self.host.used(&self.space), 0);
    }
}

// The counters run modulo 2^32: where the ring was searched for commands is a place
// in it only until that is read.
#[test]
fn a_place_once_searched_is_none_four_gib_later() {
    let mut e = ends(0u32.wrapping_sub(3 * FRAME));
    e.flood();
    e.link.turn();
    let searched = e.link.searched;
    assert_eq!(searched, 4 * FRAME, "past the wrap");
    e.work_off();
    // Now it would lie within the first frame that the inbox has no room for.
    e.move_to(searched.wrapping_sub(5 * FRAME + 8));
    e.flood();
    e.link.turn();
    assert_eq!(e.link.searched, e.space.load(e.host.tail));
}

// A request that rang after the turn looked for it and before the capsule goes to sleep
// is not slept through.
#[test]
fn does_not_sleep_on_a_request_to_freeze() {
    let mut e = ends(0);
    e.link.control.store(OFF_HEARTBEAT_MS, 20);
    e.link.turn();
    e.link.due = false;
    e.link.control.store(OFF_FREEZE, 7);
    e.link.idle();
    assert!(!e.link.due, "it slept until its next heartbeat");
    e.link.turn();
    assert_eq!(e.link.control.load(OFF_FROZEN), 7 << 2 | FREEZE_NOT_PAUSED);
    e.link.idle();
    assert!(e.link.due, "what is answered keeps nobody awake");
}

#[test]
fn is_busy_while_it_has_data() {
    let mut e = ends(0);
    let busy = |e: &Ends| e.link.control.load(OFF_BUSY) == 1;
    e.host.push(&e.space, FRAME_DATA, b"x");
    assert!(!busy(&e));
    e.link.turn();
    assert!(busy(&e));
    // A job that sleeps is still at work; so is the data that waits behind it.
    e.link.at_work = true;
    e.link.idle();
    assert!(busy(&e));
    e.link.at_work = false;
    e.work_off();
    e.link.idle();
    assert!(!busy(&e));
    // A paused capsule is not, until it is resumed.
    e.link.paused = true;
    e.host.push(&e.space, FRAME_DATA, b"x");
    e.link.turn();
    e.link.idle();
    assert!(!busy(&e));
    e.link.command(message::Command { id: String::new(), target: String::new(), verb: message::Verb::Resume });
    assert!(busy(&e));
}
