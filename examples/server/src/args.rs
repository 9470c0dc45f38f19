//! Flags and environment.

use std::net::SocketAddr;

use clap::Parser;
use lobby_chat::Flags;

use crate::WindowFlags;

/// A lobby server: WebSocket chat rooms with limits and health checks, on lobbykeeper, axum and tokio.
///
/// Durations are written like 20s, 500ms or 1m30s. `RUST_LOG` sets what is logged.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, env = "LOBBY_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// What all servers share.
    #[command(flatten)]
    pub flags: Flags,

    /// The operators' door.
    #[command(flatten)]
    pub operator: lobby_operator::DoorFlags,

    /// The window for those who watch.
    #[command(flatten)]
    pub window: WindowFlags,
}
