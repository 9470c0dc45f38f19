//! Runs a floor: see `lobby_load::floor`. Not for use as a server.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use clap::Parser;
use lobby_load::floor::{self, Mode};

/// The least that a chat server can do, to compare servers with. Not for use: it has no limits at all.
#[derive(Debug, Parser)]
#[command(name = "lobby-floor")]
struct Args {
    /// Address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How a message gets to its recipients.
    #[arg(long, value_enum, default_value_t = Mode::Joined)]
    mode: Mode,
}

fn main() -> ExitCode {
    let Args { listen, mode } = Args::parse();
    let served = TcpListener::bind(listen).and_then(|listener| {
        println!("http://{}", listener.local_addr()?);
        floor::serve(listener, mode)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
