//! The command: flags, log, address, Ctrl-C.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};

use clap::Parser;
use lobby_chat::{Flags, or_exit, when_told_to_stop};
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

    /// How long after an event it looks for more without sleeping: it answers sooner and keeps a core busy.
    #[arg(long, env = "LOBBY_BUSY_POLL", value_name = "TIME", default_value = "0s")]
    busy_poll: humantime::Duration,

    #[command(flatten)]
    flags: Flags,

    #[command(flatten)]
    operator: lobby_operator::DoorFlags,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let settings = or_exit::<Args, _>(args.flags.settings());
    let operator = or_exit::<Args, _>(args.operator.door());
    lobby_chat::log_to_stderr();
    let listener = TcpListener::bind(args.listen)?;
    println!("http://{}", listener.local_addr()?);
    let server = Server::new(listener, settings, operator)?.busy_poll(*args.busy_poll);
    let stop = server.stopper();
    when_told_to_stop(move || stop().expect("the server waits for this"))?;
    Ok(server.run()?)
}
