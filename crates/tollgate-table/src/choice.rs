//! Which free slot a new key gets.
//!
//! Its home line's, so that most keys are found in the one line that is looked at first. But the last free slot of a line
//! is worth more to keys whose other lines are full, and the fuller the table, the more so: then the key goes to
//! the roomiest of its lines. Deciding by what is free in all of its lines puts nine keys of ten at home while the table is
//! 60 % full, and leaves as few without a slot when it is fuller as if no line had ever been filled while others had room.

use crate::lines::SLOTS;

/// The share of a key's slots that has to be free for it to take the last one of its home line: seven of sixteen.
const AMPLE: (usize, usize) = (7, 16);

/// The lines of one key, as far as they were looked at: home first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<F> {
    home: Option<F>,
    home_room: usize,
    roomiest: Option<F>,
    most_room: usize,
    room: usize,
    lines: usize,
}

impl<F: Copy> Choice<F> {
    pub(crate) const fn new() -> Self {
        Self {
            home: None,
            home_room: 0,
            roomiest: None,
            most_room: 0,
            room: 0,
            lines: 0,
        }
    }

    /// The next line has so many free slots, of which this is the first.
    pub(crate) fn line(&mut self, room: usize, first: Option<F>) {
        if self.lines == 0 {
            self.home = first;
            self.home_room = room;
        }
        if room > self.most_room {
            self.roomiest = first;
            self.most_room = room;
        }
        self.room += room;
        self.lines += 1;
    }

    /// The slot to take; none if none is free.
    pub(crate) fn slot(self) -> Option<F> {
        let (free, of) = AMPLE;
        let ample = self.room * of >= self.lines * SLOTS * free;
        if self.home_room > 1 || (self.home_room == 1 && ample) {
            self.home
        } else {
            self.roomiest
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::Choice;

    /// The number of the line that is chosen, by the room of each.
    fn chosen(rooms: &[usize]) -> Option<usize> {
        let mut choice = Choice::new();
        for (line, room) in rooms.iter().enumerate() {
            choice.line(*room, (*room > 0).then_some(line));
        }
        choice.slot()
    }

    #[test]
    fn home_comes_first_while_it_keeps_a_slot() {
        assert_eq!(chosen(&[2, 4, 4, 4]), Some(0));
        assert_eq!(chosen(&[2, 0, 0, 0]), Some(0));
    }

    #[test]
    fn the_last_slot_at_home_is_taken_while_there_is_ample_room() {
        assert_eq!(chosen(&[1, 1, 1, 4]), Some(0), "7 of 16");
        assert_eq!(chosen(&[1, 1, 1, 3]), Some(3), "6 of 16");
        assert_eq!(chosen(&[1, 1, 1, 1]), Some(0), "nowhere is more");
    }

    #[test]
    fn a_full_home_sends_to_the_roomiest() {
        assert_eq!(chosen(&[0, 1, 3, 3]), Some(2));
        assert_eq!(chosen(&[0, 0, 0, 1]), Some(3));
        assert_eq!(chosen(&[0, 0, 0, 0]), None);
        assert_eq!(chosen(&[]), None);
    }
}
