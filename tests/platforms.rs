//! The same calls give the same output, byte for byte, whatever the word size and the byte order: this digest is
//! checked natively, and by `.ci/run` on an emulated 32-bit and an emulated big-endian machine too.

use lobbykeeper::{
    Cause, CloseFrame, Config, ConnId, Except, Frame, Handshake, Manager, Outbox, Payload, Time, UserOverflow,
};

/// What an emulated machine has the time for, and the digest then.
const FEW: (usize, u64) = (400, 0xe25a_41f4_29cd_3681);
/// What is checked natively as well.
const MANY: (usize, u64) = (20_000, 0x8b7f_832e_0345_ba8c);

/// Enough of a generator to reach every kind of call (Numerical Recipes' constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// FNV-1a.
fn digest(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, &byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_transcript_is_the_same_on_every_platform() {
    let checks = if cfg!(miri) { &[FEW][..] } else { &[FEW, MANY] };
    for &(steps, wanted) in checks {
        let found = transcript(steps);
        assert_eq!(found, wanted, "{found:#018x} after {steps} steps");
    }
}

/// The digest of everything that so many calls write, and of the numbers after them.
fn transcript(steps: usize) -> u64 {
    let mut manager = Manager::new(Config {
        max_connections: Some(40),
        max_connections_per_lobby: Some(12),
        max_connections_per_user: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        max_lobbies_per_connection: Some(2),
        stale_wave_floor: Some(3),
        seed: 7,
        hash_key: [11, 13],
        ..Config::default()
    })
    .unwrap();
    let close = CloseFrame::new(4000, "kicked").unwrap();
    let (mut numbers, mut out) = (Numbers(1), Outbox::new());
    let mut conns: Vec<ConnId> = Vec::new();
    let (mut now, mut transcript) = (0, 0xcbf2_9ce4_8422_2325);
    for _ in 0..steps {
        // Now and then the server stands still for a minute.
        now += if numbers.below(200) == 0 {
            60_000
        } else {
            numbers.below(500)
        };
        let at = Time::from_millis(now);
        manager.tick(at, &mut out);
        let (lobby, user) = (
            format!("lobby {}", numbers.below(5)),
            format!("user {}", numbers.below(25)),
        );
        // Mostly one that is open, sometimes one that is gone.
        let back = usize::try_from(numbers.below(30)).unwrap();
        let conn = conns.iter().rev().nth(back).copied();
        match (numbers.below(16), conn) {
            (0..3, _) | (_, None) => conns.extend(manager.connected(at, Handshake::new(lobby, user), &mut out)),
            (3, Some(conn)) => _ = manager.closed(at, conn, Cause::Peer, &mut out),
            (4, Some(conn)) => _ = manager.kick(at, conn, &close, &mut out),
            (5, Some(conn)) => _ = manager.join(at, conn, &lobby, &mut out),
            (6, Some(conn)) => _ = manager.switch_lobby(at, conn, conn, &lobby, &mut out),
            (7, Some(conn)) => _ = manager.leave(at, conn, &*lobby, &mut out),
            (8, Some(conn)) => {
                _ = manager.broadcast(at, &*lobby, Payload::text("hi"), Except::UserOf(conn), &mut out);
            }
            (9, _) => _ = manager.ping_user(at, &user, None, &mut out),
            (_, Some(conn)) => _ = manager.message(at, conn, Frame::text("hello"), &mut out),
        }
        for output in &out {
            transcript = digest(transcript, serde_json::to_string(&output).unwrap().as_bytes());
        }
        out.clear();
    }
    digest(transcript, serde_json::to_string(&manager.stats()).unwrap().as_bytes())
}
