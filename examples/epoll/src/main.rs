//! The command: flags, log, address, Ctrl-C.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use lobby_chat::Flags;
use lobby_epoll::Server;

/// A lobby server on one thread: WebSocket chat rooms with limits and health checks, on lobbykeeper and epoll.
///
/// Durations are written like 20s, 500ms or 1m30s. `RUST_LOG` sets what is logged.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, env = "LOBBY_LISTEN", default_value = "127.0.0.1:8082")]
    listen: SocketAddr,

    /// How many bytes may wait for one client; a client that is further behind is cut off.
    #[arg(
        long,
        env = "LOBBY_MAX_BACKLOG_BYTES",
        value_name = "BYTES",
        default_value = "1048576"
    )]
    max_backlog_bytes: usize,

    /// How long after an event it looks for more without sleeping: it answers sooner and keeps a core busy.
    #[arg(long, env = "LOBBY_BUSY_POLL", value_name = "TIME", default_value = "0s")]
    busy_poll: humantime::Duration,

    #[command(flatten)]
    flags: Flags,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let settings = match args.flags.settings() {
        Ok(settings) => settings,
        Err(error) => Args::command().error(ErrorKind::ValueValidation, error).exit(),
    };
    lobby_chat::log_to_stderr();
    let listener = TcpListener::bind(args.listen)?;
    println!("http://{}", listener.local_addr()?);
    let server = Server::new(listener, settings, args.max_backlog_bytes)?.busy_poll(*args.busy_poll);
    let stopper = server.stopper();
    // One that cannot be woken cannot be stopped either.
    ctrlc::set_handler(move || stopper.wake().expect("the server waits for this"))?;
    Ok(server.run()?)
}
