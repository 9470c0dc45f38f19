//! What of the messages has been written, in the measure of the manager: payload bytes and messages, where the stream knows
//! bytes.

use std::collections::VecDeque;
use std::mem;

/// So much of what was pushed has been handed to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Payload bytes.
    pub bytes: u64,
    /// Messages.
    pub messages: u32,
}

impl Flushed {
    fn add(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.messages += more.messages;
    }
}

/// The messages of a socket that are not yet written.
///
/// Those of a turn count as written when the last of them is: a place in the stream for each message would cost as much
/// as the message for those who keep up, and they write all of a turn at once.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// Of this turn.
    turn: Flushed,
    /// Of each earlier turn, with the place in the stream at which it ends.
    turns: VecDeque<(u64, Flushed)>,
}

impl Pushed {
    /// One more, of so many payload bytes.
    pub(crate) fn push(&mut self, payload: u64) {
        self.turn.bytes += payload;
        self.turn.messages += 1;
    }

    /// The turn ends. So many bytes of the stream have been written, and `waiting` have not: what is new of that.
    pub(crate) fn end_turn(&mut self, written: u64, waiting: usize) -> Flushed {
        let turn = mem::take(&mut self.turn);
        if turn.messages > 0 && waiting > 0 {
            self.turns.push_back((written + waiting as u64, turn));
        }
        let mut flushed = Flushed::default();
        while let Some(&(end, earlier)) = self.turns.front()
            && end <= written
        {
            self.turns.pop_front();
            flushed.add(earlier);
        }
        if waiting == 0 {
            flushed.add(turn);
            // Those who keep up need no room for this.
            self.turns = VecDeque::new();
        }
        flushed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_up_has_everything_of_a_turn_at_its_end() {
        let mut pushed = Pushed::default();
        pushed.push(10);
        pushed.push(20);
        assert_eq!(pushed.end_turn(34, 0), Flushed { bytes: 30, messages: 2 });
        assert_eq!(pushed.end_turn(34, 0), Flushed::default());
    }

    #[test]
    fn a_turn_is_written_when_its_last_byte_is() {
        let mut pushed = Pushed::default();
        pushed.push(10);
        assert_eq!(pushed.end_turn(5, 7), Flushed::default());
        pushed.push(20);
        pushed.push(30);
        // A pong, which is no message of the manager's, lies between them and before them.
        assert_eq!(pushed.end_turn(12, 60), Flushed { bytes: 10, messages: 1 });
        assert_eq!(pushed.end_turn(71, 1), Flushed::default());
        assert_eq!(pushed.end_turn(72, 0), Flushed { bytes: 50, messages: 2 });
    }

    #[test]
    fn nothing_is_counted_twice_or_never_whatever_the_system_takes() {
        let mut pushed = Pushed::default();
        let (mut written, mut waiting, mut told) = (0, 0, Flushed::default());
        for turn in 0..1_000 {
            for message in 0..turn % 4 {
                pushed.push(message as u64);
                waiting += 2 + message;
            }
            let taken = waiting.min(turn * 7 % 11);
            (written, waiting) = (written + taken as u64, waiting - taken);
            told.add(pushed.end_turn(written, waiting));
        }
        told.add(pushed.end_turn(written + waiting as u64, 0));
        assert_eq!(
            told,
            Flushed {
                bytes: 1_000,
                messages: 1_500
            }
        );
    }
}
