//! How the model recognises a health pong, and when it sends the first ping.

use std::fmt;
use std::hash::Hasher as _;

use crate::ConnId;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use siphasher::sip::SipHasher13;

/// A connection's first ping comes 1 ns to one interval after it connected, spread by a hash of its id under the seed.
pub(crate) fn first_ping(seed: u64, conn: ConnId, interval: u128) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(seed, 0);
    hasher.write(&conn.to_bits().to_le_bytes());
    1 + ((u128::from(hasher.finish()) * interval) >> 64)
}

/// A pong frame echoes the ping's digits.
pub(crate) fn in_frame(data: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(data).ok()?;
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text && number < 100_000_000_000_000).then_some(number)
}

/// A JSON pong: an object of at most 1 KiB.
pub(crate) struct JsonPong {
    /// If it is a whole number.
    pub(crate) timestamp: Option<u64>,
}

/// `None` if the text is anything else.
pub(crate) fn in_json(text: &str) -> Option<JsonPong> {
    if text.len() > 1_024 || !text.contains("health_pong") {
        return None;
    }
    let members: Members = serde_json::from_str(text).ok()?;
    let [Value::String(kind)] = &members.kinds[..] else {
        return None;
    };
    if kind != "health_pong" || members.timestamps > 1 {
        return None;
    }
    let number: Result<Number, _> = serde_json::from_str(text);
    Some(JsonPong {
        timestamp: number.ok().map(|number| number.timestamp),
    })
}

/// What counts in a JSON object. A member that stands there twice makes it nobody's pong.
#[derive(Default)]
struct Members {
    kinds: Vec<Value>,
    timestamps: u32,
}

/// A JSON object with a time stamp that is one.
#[derive(serde::Deserialize)]
struct Number {
    timestamp: u64,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyObject)
    }
}

struct AnyObject;

impl<'de> Visitor<'de> for AnyObject {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "type" => members.kinds.push(map.next_value()?),
                other => {
                    members.timestamps += u32::from(other == "timestamp");
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}
