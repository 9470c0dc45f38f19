//! The floors do what a server does, in every mode.

mod common;

use std::net::TcpStream;
use std::time::Duration;

use common::{floor, settings};
use lobby_load::floor::Mode;
use lobby_load::load::{self, Pace};
use tungstenite::{Message, WebSocket};

const MODES: [Mode; 4] = [Mode::Each, Mode::Plain, Mode::Joined, Mode::Vectored];

#[test]
fn everything_arrives_once_and_in_order_at_all_but_the_sender() {
    for mode in MODES {
        for (size, broadcasts, scattered) in [(2, 1, false), (3, 16, true), (20, 5, true), (20, 5, false)] {
            let mut settings = settings(floor(mode));
            settings.clients = 3 * size;
            settings.lobby_size = size;
            settings.pace = Some(Pace::Outstanding { broadcasts, scattered });
            let report = load::run(&settings).unwrap_or_else(|error| panic!("{mode:?}, {size}, {broadcasts}: {error}"));
            assert!(report.traffic.unwrap().deliveries > 0);
        }
    }
}

#[test]
fn what_the_kernel_does_not_take_at_once_is_written_later() {
    for mode in MODES {
        let mut settings = settings(floor(mode));
        settings.clients = 3;
        settings.warm_up = Duration::ZERO;
        settings.measured = Duration::from_millis(1);
        // More at once than a socket's buffers hold.
        settings.payload = 1_000_000;
        settings.pace = Some(Pace::Outstanding {
            broadcasts: 12,
            scattered: true,
        });
        let report = load::run(&settings).unwrap_or_else(|error| panic!("{mode:?}: {error}"));
        assert!(report.traffic.unwrap().checked > 0);
    }
}

#[test]
fn a_client_with_another_library_is_understood() {
    for mode in MODES {
        let address = floor(mode);
        let enter = |lobby, user| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            tungstenite::client(format!("ws://{address}/ws/{lobby}?token={user}"), stream)
                .unwrap()
                .0
        };
        let [mut ann, mut bob, mut eve] = [enter("den", "ann"), enter("den", "bob"), enter("hut", "eve")];
        // The library masks with keys drawn at random. The lengths are around where the form of the answer's changes.
        for length in [1, 7, 86, 87, 88, 89, 65_497, 65_498, 65_499, 70_000] {
            let text = "x".repeat(length);
            ann.send(Message::text(format!(r#"{{"type":"chat","text":"{text}"}}"#)))
                .unwrap();
            let expected = format!(r#"{{"type":"chat","from":"ann","text":"{text}"}}"#);
            assert_eq!(next(&mut bob), Message::text(expected), "{mode:?}");
        }
        for socket in [&mut ann, &mut eve] {
            socket
                .send(Message::text(r#"{"type":"health_pong","timestamp":1}"#))
                .unwrap();
            socket.send(Message::Ping(b"knock"[..].into())).unwrap();
            // Nothing was before it.
            assert_eq!(next(socket), Message::Pong(b"knock"[..].into()), "{mode:?}");
        }
    }
}

fn next(socket: &mut WebSocket<TcpStream>) -> Message {
    socket.read().unwrap()
}
