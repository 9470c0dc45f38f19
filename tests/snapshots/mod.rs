//! Snapshots as version 1 was once written. If these change, so must the version.
#![allow(unreachable_pub, reason = "each test binary has it for itself")]

use serde_json::{Value, json};

pub fn version_1() -> Value {
    serde_json::from_str(include_str!("version_1.json")).unwrap()
}

/// The same, after a drain has begun: no seat is reserved then.
pub fn draining() -> Value {
    let mut snapshot = version_1();
    snapshot["drain"] = json!({
        "since": 30_000_000_000_u64,
        "every": 1_000_000_000,
        "deadline": 90_000_000_000_u64,
        "not_before": 30_000_000_000_u64,
        "last": null,
    });
    snapshot["reservations"] = json!([]);
    snapshot["free_reservations"] = json!(["r1v2", "r0v3"]);
    snapshot["counters"]["reservations"]["lapsed"] = json!(2);
    snapshot
}
