//! Flags.

use clap::Parser;

/// Simulates lobbykeeper's manager in a day of a hundred thousand clients, in pauses of the server, reconnect storms,
/// clock steps and an outage, and prints what came of it. The same flags give the same output, byte for byte; how long
/// it took goes to the standard error. The exit code is 1 if the manager broke its word anywhere.
#[derive(Clone, Copy, Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// What chance is made of.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// How many clients come and go in the day.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        default_value_if("quick", "true", "10000")
    )]
    pub(crate) clients: u32,

    /// How long the day is.
    #[arg(long, value_name = "N", default_value_t = 24, default_value_if("quick", "true", "2"))]
    pub(crate) hours: u32,

    /// Small worlds: a day of 2 hours with 10,000 clients, unless the flags say otherwise, and a tenth of the clients in
    /// all others. Takes a second.
    #[arg(long)]
    pub(crate) quick: bool,
}
