//! Flags and environment.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use clap::Parser;
use lobby_chat::Flags;

/// A lobby server: WebSocket chat rooms with limits and health checks, on lobbykeeper, axum and tokio.
///
/// Durations are written like 20s, 500ms or 1m30s. `RUST_LOG` sets what is logged.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, env = "LOBBY_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// How many messages wait for one client; a client that is further behind is cut off.
    #[arg(long, env = "LOBBY_QUEUE_LENGTH", value_name = "N", default_value = "1024")]
    pub queue_length: NonZeroU16,

    /// What all servers share.
    #[command(flatten)]
    pub flags: Flags,
}
