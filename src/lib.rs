#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod clock;
mod config;
mod conn_map;
mod deadlines;
mod event;
mod id;
mod json;
mod latency;
mod list;
mod manager;
mod names;
mod outbox;
mod payload;
mod presence;
mod pulse;
mod refusal;
mod roster;
mod slots;
mod snapshot;
mod stats;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod wire;

pub use config::{Config, ConfigError, MAX_CONNECTIONS, PingFormat, UserOverflow};
pub use conn_map::ConnMap;
pub use event::{Call, Cause, Event, Except, Handshake, Inbound, Input, JoinError, LobbyRef, Reply, Request};
pub use id::{ConnId, LobbyId, ParseIdError};
pub use latency::Latency;
pub use manager::{LobbyUsers, Manager};
pub use outbox::{Command, Ending, Eviction, Notice, Outbox, Output, Outputs};
pub use payload::{Frame, Payload, PingData, Text};
pub use refusal::{Answer, Answers, CloseFrame, CloseFrameError, Refusal, RefusalRule, Retry};
pub use snapshot::{RestoreError, Snapshot};
pub use stats::{Evictions, Percent, Refusals, Stats};
pub use time::Time;
