//! How many bytes a connection takes beside its names and with them, as a line of JSON for each number of connections.
//!
//! Counted is what is asked of the allocator, not what it adds. All users are different, with a connection each, in
//! lobbies of a hundred.

#[path = "../tests/counting/mod.rs"]
mod counting;
mod crowd;

use std::hint::black_box;

use counting::LIVE;
use crowd::{Crowd, lobby_name, user_name};

/// Tables double when they are full. Of the slots that a million takes, 2^20, few are left; one more than that takes
/// twice as many.
const COUNTS: [u32; 3] = [100_000, 1_000_000, (1 << 20) + 1];

fn main() {
    for count in COUNTS {
        let before = LIVE.get();
        let Crowd { manager, out, conns } = Crowd::new(count);
        drop((out, conns));
        let bytes = LIVE.get() - before;
        black_box(&manager);
        let names = name_bytes(count);
        println!(r#"{{"connections":{count},"bytes":{bytes},"names":{names}}}"#);
    }
}

/// The bytes of all names, each once.
fn name_bytes(count: u32) -> usize {
    let mut last_lobby = String::new();
    let mut bytes = 0;
    for number in 0..count {
        bytes += user_name(number).len();
        let lobby = lobby_name(number);
        if lobby != last_lobby {
            bytes += lobby.len();
            last_lobby = lobby;
        }
    }
    bytes
}
