#![doc = include_str!("../README.md")]
// The instruments for tests need `std`; nothing else does.
#![cfg_attr(not(feature = "testing"), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod backlog;
mod clock;
mod config;
mod conn_map;
mod digest;
mod drain;
mod ending;
mod event;
mod gcra;
// Pages of documentation, whose code is compiled and run.
#[cfg(any(doc, doctest))]
pub mod guides;
mod id;
mod invariant;
mod json;
mod latency;
mod limit;
mod list;
mod manager;
mod names;
mod outbox;
mod outgoing;
mod payload;
mod presence;
mod pulse;
mod receipt;
mod recorder;
mod refusal;
mod replay;
mod roster;
mod seats;
mod shrink;
mod slot_heap;
mod slots;
mod snapshot;
mod source;
mod sources;
mod stats;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
// Pages of documentation.
#[cfg(doc)]
pub mod transcripts;
mod wire;

pub use backlog::Backlog;
pub use config::{Config, ConfigError, MAX_CONNECTIONS, PingFormat, UserOverflow};
pub use conn_map::ConnMap;
pub use digest::Digest;
pub use ending::{Closing, Ending, Eviction, Lapse};
pub use event::{
    Call, Cause, DropReason, Event, Except, Handshake, Inbound, Input, JoinError, LobbyRef, RateScope, Reply, Request,
};
pub use gcra::Rate;
pub use id::{ConnId, LobbyId, ParseIdError, ReservationId};
pub use invariant::{Invariant, Violation};
pub use latency::Latency;
pub use limit::{Limit, RateLimit};
pub use manager::{LobbyUsers, Manager};
pub use outbox::{Command, Notice, Outbox, Output, Outputs};
pub use outgoing::{Delivery, Outgoing};
pub use payload::{Frame, Payload, PingData, Text};
pub use receipt::Receipt;
pub use recorder::Recorder;
pub use refusal::{Answer, Answers, CloseFrame, CloseFrameError, Refusal, RefusalRule, Retry};
pub use replay::{Entry, Fault, Replay, ReplayError};
pub use shrink::{Excerpt, Script};
pub use snapshot::{RestoreError, Snapshot};
pub use source::{ParseSourceError, Source};
pub use stats::{Drops, Evictions, Percent, Refusals, Reservations, Stats};
pub use time::Time;
