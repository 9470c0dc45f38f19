//! What the log says. Names come from strangers, so they are written as `Debug` does it: quoted, and with control
//! characters escaped.

use std::io::{self, IsTerminal};

use lobbykeeper::{Command, ConnId, Ending, Manager, Notice, Refusal, ReservationId, Stats};
use tracing::{debug, info, warn};
use tracing_subscriber::EnvFilter;

/// Logs to the standard error stream what `RUST_LOG` asks for, `info` by default.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// From so many tenths of a per cent on a server is nearly full.
const NEARLY_FULL: u32 = 800;

pub(crate) fn connected(conn: ConnId, user: &str, lobby: &str, stats: &Stats) {
    let (total, max) = (stats.total_connections, stats.max_connections);
    info!(%conn, ?user, ?lobby, total, max, "connected");
}

pub(crate) fn refused(refusal: &Refusal, user: &str, lobby: &str) {
    let (rule, receipt) = (refusal.rule(), refusal.receipt());
    info!(?user, ?lobby, %rule, %receipt, "refused");
}

/// A seat is held while somebody's token is looked at.
pub(crate) fn reserved(reservation: ReservationId, user: &str, lobby: &str) {
    info!(%reservation, ?user, ?lobby, "reserved");
}

/// Somebody came whose token stands for nobody.
pub(crate) fn unauthorized(lobby: &str) {
    info!(?lobby, "refused: unauthorized");
}

/// A server is about to carry out this command: what ends a connection is logged with what it rests on.
pub fn command(command: &Command<'_>) {
    match command {
        Command::Send { .. } => {}
        Command::Close {
            conn,
            code,
            reason,
            cause,
            receipt,
            ..
        } => info!(%conn, code, ?reason, %cause, %receipt, "closing"),
        Command::Evict {
            conn, cause, receipt, ..
        } => info!(%conn, %cause, %receipt, "evicting"),
    }
}

pub(crate) fn notice(notice: &Notice<'_>, manager: &Manager) {
    match notice {
        Notice::Ended { conn, user, ending } => {
            let stats = manager.stats();
            let (total, max) = (stats.total_connections, stats.max_connections);
            match ending {
                Ending::Closed(cause) => info!(%conn, ?user, total, max, %cause, "disconnected"),
                Ending::Evicted(cause) => info!(%conn, ?user, total, max, %cause, "evicted"),
            }
        }
        Notice::Drained { .. } => info!("{notice}"),
        Notice::Paused { .. } | Notice::StaleWave { .. } => warn!("{notice}"),
        _ => debug!("{notice}"),
    }
}

/// Says once when the server gets nearly full, and once when it no longer is.
#[derive(Debug, Default)]
pub(crate) struct CapacityWatch {
    nearly_full: bool,
}

impl CapacityWatch {
    pub(crate) fn look(&mut self, stats: &Stats) {
        let (total, max) = (stats.total_connections, stats.max_connections);
        let nearly_full = stats
            .capacity_percent
            .is_some_and(|percent| percent.tenths() >= NEARLY_FULL);
        match (self.nearly_full, nearly_full) {
            (false, true) => warn!(total, max, "nearly full"),
            (true, false) => info!(total, max, "no longer nearly full"),
            _ => {}
        }
        self.nearly_full = nearly_full;
    }
}
