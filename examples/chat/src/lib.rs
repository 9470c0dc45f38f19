//! What the lobby servers of these examples have in common: the chat that they serve, with its messages, its settings,
//! its log and its page. A server adds the sockets.
//!
//! [`Chat`] is the application with the [`Manager`](lobbykeeper::Manager) in it. A server tells it what comes from its
//! sockets and carries out what it writes to the outbox.

#![forbid(unsafe_code)]

mod asked;
mod auth;
mod chat;
mod failure;
mod flags;
mod log;
mod machine;
mod messages;
mod proxies;
mod signal;
mod talk;
mod tape;
mod waiting;

pub use asked::{Asked, asked};
pub use chat::{Admission, Chat, Visitor, going_away};
pub use failure::failure;
pub use flags::{Flags, Settings, SlowClient, or_exit};
pub use log::{command as log_command, log_to_stderr};
pub use messages::{relayed, whole_milliseconds};
pub use proxies::{Forwarded, Network, Proxies};
pub use signal::when_told_to_stop;

/// The page, which needs nothing from elsewhere but [`CLIENT`], at `/client.js`.
pub const PAGE: &str = include_str!("page.html");

/// The page's client, JavaScript: what `npm run bundle` makes of `clients/typescript`. A test there says whether it is that.
pub const CLIENT: &str = include_str!("client.js");
