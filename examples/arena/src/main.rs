//! The command: flags, log, signals.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use lobby_arena::{Server, config, listen, simulate};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whoever stops it twice does not want to wait. The code is that of a command that Ctrl-C ended.
const ENDED_BY_A_SIGNAL: i32 = 130;

/// A game server with 30 ticks a second on one thread: players chase a crown in rooms, on lobbykeeper.
///
/// `RUST_LOG` sets what is logged.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, env = "LOBBY_LISTEN", default_value = "127.0.0.1:8084")]
    listen: SocketAddr,

    /// How many players there may be.
    #[arg(long, env = "LOBBY_MAX_PLAYERS", value_name = "N", default_value = "1000")]
    max_players: u32,

    /// How many players a room may have.
    #[arg(long, env = "LOBBY_MAX_PER_ROOM", value_name = "N", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=16))]
    max_per_room: u32,

    /// Does not serve, but plays with so many simulated players, and prints what a tick costs.
    #[arg(long, value_name = "PLAYERS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    simulate: Option<u32>,

    /// For how many ticks it is simulated.
    #[arg(long, value_name = "N", default_value = "3000", value_parser = clap::value_parser!(u32).range(1..))]
    ticks: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(players) = args.simulate {
        println!("{}", simulate(players, args.max_per_room, args.ticks));
        return Ok(());
    }
    lobby_chat::log_to_stderr();
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it, the second one ends the process.
        flag::register_conditional_shutdown(signal, ENDED_BY_A_SIGNAL, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    let listener = listen(args.listen)?;
    println!("http://{}", listener.local_addr()?);
    let seed = RandomState::new().hash_one(());
    let server = Server::new(listener, config(args.max_players, args.max_per_room), seed, stop)?;
    Ok(server.run()?)
}
