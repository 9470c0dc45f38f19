//! What goes over the wire beside the health messages, which are the library's own.
//!
//! A client steers with two signed bytes. The state of a room is binary, little-endian, and complete, so that whoever
//! misses some has lost nothing: the last one that comes is all there is to know. The README has the layout.

use lobbykeeper::Payload;
use serde::Serialize;

use crate::world::{GOAL, HEIGHT, Place, STEPS_PER_SECOND, Steering, WIDTH, World};

/// Stands for no seat.
const NOBODY: u8 = u8::MAX;

/// What a client says, if that is anything.
pub(crate) fn steering(message: &[u8]) -> Option<Steering> {
    let &[x, y] = message else { return None };
    Some(Steering {
        x: x.cast_signed(),
        y: y.cast_signed(),
    })
}

/// What a client is told but for the state.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Told<'a> {
    /// The first message of every connection.
    Welcome {
        room: &'a str,
        name: &'a str,
        seat: usize,
        width: i32,
        height: i32,
        steps_per_second: u32,
        goal: u16,
    },
    /// Who is in the room: all of them, whenever that changes.
    Players { players: Vec<Named<'a>> },
    /// Steering came too soon after other steering and was not followed. After so long it will be again.
    Throttled { milliseconds: u64 },
}

#[derive(Serialize)]
pub(crate) struct Named<'a> {
    pub(crate) seat: usize,
    pub(crate) name: &'a str,
}

impl<'a> Told<'a> {
    pub(crate) fn welcome(room: &'a str, name: &'a str, seat: usize) -> Self {
        Self::Welcome {
            room,
            name,
            seat,
            width: WIDTH,
            height: HEIGHT,
            steps_per_second: STEPS_PER_SECOND,
            goal: GOAL,
        }
    }

    /// Words it, once for all recipients.
    pub(crate) fn payload(&self) -> Payload {
        Payload::text(serde_json::to_string(self).expect("strings and numbers are always JSON"))
    }
}

/// The state of a room, once for all of its players.
pub(crate) fn state(world: &World) -> Payload {
    let mut bytes = Vec::with_capacity(128);
    bytes.extend(world.steps().to_le_bytes());
    bytes.extend(world.round().to_le_bytes());
    bytes.extend([seat(world.winner()), seat(world.wearer())]);
    place(&mut bytes, world.crown_place());
    let count_at = bytes.len();
    bytes.push(0);
    for (index, player) in world.players() {
        bytes[count_at] += 1;
        bytes.push(seat(Some(index)));
        place(&mut bytes, player.place);
        bytes.extend(player.score.to_le_bytes());
    }
    for &dot in world.dots() {
        place(&mut bytes, dot);
    }
    Payload::binary(bytes)
}

fn seat(seat: Option<usize>) -> u8 {
    seat.and_then(|seat| u8::try_from(seat).ok()).unwrap_or(NOBODY)
}

fn place(bytes: &mut Vec<u8>, place: Place) {
    // The field is less than 2^16 wide and high.
    for number in [place.x, place.y] {
        bytes.extend(u16::try_from(number).unwrap_or_default().to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::DOTS;

    #[test]
    fn steering_is_two_signed_bytes_and_nothing_else() {
        assert_eq!(steering(&[127, 0x80]), Some(Steering { x: 127, y: -128 }));
        for message in [&[][..], &[1], &[1, 2, 3]] {
            assert_eq!(steering(message), None);
        }
    }

    #[test]
    fn a_state_is_complete() {
        let mut world = World::new(4);
        world.enter();
        world.enter();
        world.leave(0);
        world.step();
        let state = state(&world);
        let bytes = state.as_bytes();
        assert_eq!(bytes.len(), 13 + 7 + 4 * DOTS);
        assert_eq!(bytes[..8], [1, 0, 0, 0, 1, 0, NOBODY, NOBODY]);
        assert_eq!(bytes[12..14], [1, 1], "one player, in seat 1");
        let (_, player) = world.players().next().unwrap();
        assert_eq!(i32::from(u16::from_le_bytes([bytes[14], bytes[15]])), player.place.x);
        let dot = u16::from_le_bytes([bytes[20], bytes[21]]);
        assert_eq!(i32::from(dot), world.dots()[0].x);
    }
}
