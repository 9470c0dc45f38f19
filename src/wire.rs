//! The health messages: the only bytes on the wire that the manager words.

use alloc::borrow::Cow;
use core::fmt::Write as _;
use core::num::NonZeroU64;

use bytes::BytesMut;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::PingFormat;
use crate::payload::{Payload, PingData, Text};
use crate::time::Time;

/// Time stamps stay below this, so that every JSON reader, those with nothing but doubles included, keeps them exactly.
const TIMESTAMP_END: u64 = 100_000_000_000_000;

/// What a ping takes at most: 44 bytes and 14 digits.
pub(crate) const PING_BYTES: usize = 64;

/// A pong is short; what is longer is the application's and is not looked into.
const MAX_PONG_BYTES: usize = 1_024;

/// Words the pings.
#[derive(Clone, Debug)]
pub(crate) struct Pinger {
    format: PingFormat,
    last: u64,
    /// Written again once all who were given the last ping have dropped it.
    buffer: BytesMut,
}

impl Pinger {
    pub(crate) fn new(format: PingFormat) -> Self {
        Self {
            format,
            last: 0,
            buffer: BytesMut::new(),
        }
    }

    /// One that has sent this ping last. `None` if no ping has such a time stamp.
    pub(crate) fn restore(format: PingFormat, last: u64) -> Option<Self> {
        (last < TIMESTAMP_END).then(|| Self {
            last,
            ..Self::new(format)
        })
    }

    /// The time stamp of the last ping; 0 before the first.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// A time stamp that no earlier ping had: the milliseconds of the driver's clock where that is possible.
    pub(crate) fn next_timestamp(&mut self, now: Time) -> NonZeroU64 {
        self.last = (self.last + 1).max(now.as_millis()).min(TIMESTAMP_END - 1);
        NonZeroU64::MIN.saturating_add(self.last - 1)
    }

    /// The ping with this time stamp. Allocates nothing if the pings before it have been dropped, else twice.
    pub(crate) fn payload(&mut self, timestamp: NonZeroU64) -> Payload {
        self.buffer.clear();
        self.buffer.reserve(PING_BYTES);
        let written = match self.format {
            PingFormat::Json => write!(self.buffer, r#"{{"type":"health_ping","timestamp":{timestamp}}}"#),
            PingFormat::WebSocket => write!(self.buffer, "{timestamp}"),
        };
        debug_assert!(written.is_ok() && self.buffer.len() <= PING_BYTES);
        let bytes = self.buffer.split().freeze();
        match self.format {
            PingFormat::Json => Payload::Text(Text::from_ascii(bytes)),
            PingFormat::WebSocket => Payload::Ping(PingData::new(bytes)),
        }
    }
}

/// A health pong among the text messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pong {
    /// `None` if the client did not echo a number.
    pub(crate) timestamp: Option<u64>,
}

/// Recognises a health pong. Most messages are not one, and cost no more than a search in their first thousand bytes.
pub(crate) fn read_json_pong(text: &str) -> Option<Pong> {
    if text.len() > MAX_PONG_BYTES || !text.contains("health_pong") {
        return None;
    }
    // serde takes an array for a struct as well, so an object has to be asked for.
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    let message = serde_json::from_str(text).or_else(|_| {
        // A client that echoes anything but the number is alive, but gives no time.
        serde_json::from_str(text).map(|message: HealthMessage<'_, IgnoredAny>| HealthMessage {
            kind: message.kind,
            timestamp: None,
        })
    });
    let message = message.ok()?;
    (message.kind == "health_pong").then_some(Pong {
        timestamp: message.timestamp,
    })
}

/// The time stamp in the application data of a pong frame.
pub(crate) fn read_frame_pong(data: &[u8]) -> Option<u64> {
    let digits = core::str::from_utf8(data).ok()?;
    // RFC 6455, section 5.5.3: a pong has the very data of its ping, which never starts with a zero.
    if digits.len() > 14 || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[derive(Deserialize)]
struct HealthMessage<'a, T> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    timestamp: Option<T>,
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_ping_is_worded_as_clients_know_it() {
        let mut pinger = Pinger::new(PingFormat::Json);
        let first = pinger.next_timestamp(Time::from_millis(1_500));
        let payload = pinger.payload(first);
        assert_eq!(payload.as_bytes(), &br#"{"type":"health_ping","timestamp":1500}"#[..]);
        let mut pinger = Pinger::new(PingFormat::WebSocket);
        assert_eq!(pinger.payload(first).as_bytes(), &b"1500"[..]);
        assert_eq!(pinger.next_timestamp(Time::ZERO).get(), 1);
    }

    #[test]
    fn time_stamps_ascend_and_stay_below_ten_to_the_fourteenth() {
        let mut pinger = Pinger::new(PingFormat::Json);
        assert_eq!(pinger.next_timestamp(Time::from_millis(7)).get(), 7);
        assert_eq!(pinger.next_timestamp(Time::from_millis(7)).get(), 8);
        assert_eq!(pinger.next_timestamp(Time::from_millis(3)).get(), 9);
        assert!(pinger.next_timestamp(Time::MAX).get() < TIMESTAMP_END);
        pinger.last = TIMESTAMP_END - 1;
        let last = pinger.next_timestamp(Time::MAX);
        assert_eq!(last.get(), TIMESTAMP_END - 1);
        assert!(pinger.payload(last).len() <= PING_BYTES);
    }

    #[test]
    fn a_restored_pinger_goes_on_after_its_last_ping() {
        let mut pinger = Pinger::restore(PingFormat::Json, 7).unwrap();
        assert_eq!(pinger.last(), 7);
        assert_eq!(pinger.next_timestamp(Time::ZERO).get(), 8);
        assert!(Pinger::restore(PingFormat::Json, TIMESTAMP_END - 1).is_some());
        assert!(Pinger::restore(PingFormat::Json, TIMESTAMP_END).is_none());
    }

    #[test]
    fn a_pong_is_recognised_in_any_order_of_keys_and_with_any_white_space() {
        let pong = |timestamp| Some(Pong { timestamp });
        assert_eq!(
            read_json_pong(r#"{"type":"health_pong","timestamp":17}"#),
            pong(Some(17))
        );
        assert_eq!(
            read_json_pong("\t{ \"timestamp\" :\n17 ,\r\"x\":[{}], \"type\": \"health_pong\" } "),
            pong(Some(17))
        );
        for odd in [
            "null",
            "-1",
            "1.5",
            "\"17\"",
            "[1,[2]]",
            "{\"a\":{}}",
            "true",
            "18446744073709551616",
            // What no number or string of Rust holds, at the top and deeper than a recursive reader goes.
            "1e999",
            r#""\ud800""#,
            r#"{"a":["\ud800",1e999]}"#,
            &("[".repeat(400) + &"]".repeat(400)),
        ] {
            assert_eq!(
                read_json_pong(&format!(r#"{{"type":"health_pong","timestamp":{odd}}}"#)),
                pong(None),
                "{odd}"
            );
        }
        assert_eq!(read_json_pong(r#"{"type":"health_pong"}"#), pong(None));
    }

    #[test]
    fn what_only_mentions_a_pong_is_the_applications() {
        for text in [
            "",
            "health_pong",
            r#"{"type":"chat","text":"health_pong"}"#,
            r#"{"type":"health_pong""#,
            r#"{"type":["health_pong"]}"#,
            r#"["health_pong"]"#,
            r#"{"type":"health_pong","type":"health_pong"}"#,
            r#"{"kind":"health_pong","timestamp":1}"#,
        ] {
            assert_eq!(read_json_pong(text), None, "{text}");
        }
    }

    #[test]
    fn a_pong_frame_holds_nothing_but_digits() {
        assert_eq!(read_frame_pong(b"1500"), Some(1_500));
        for data in [&b""[..], b"+1", b"1 ", b"01500", b"123456789012345", b"\xff"] {
            assert_eq!(read_frame_pong(data), None);
        }
    }
}
