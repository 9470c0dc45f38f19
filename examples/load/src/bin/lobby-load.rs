//! The load client's command: see `lobby_load::load`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use lobby_load::load::{self, MIN_PAYLOAD, Pace, Settings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs of file descriptors beside its connections.
const SPARE: u64 = 64;

/// Loads a lobby server with chat messages, checks that each arrives once, in order and where it should, and says how
/// fast that was. Any wrong, missing or doubled message ends it with code 1.
#[derive(Debug, Parser)]
#[command(name = "lobby-load")]
struct Args {
    /// The server, `ws://HOST:PORT` or `http://HOST:PORT`.
    #[arg(long)]
    url: String,
    /// The path of a client's address; `{lobby}` and `{user}` are replaced.
    #[arg(long, default_value = "/ws/{lobby}?token={user}")]
    path: String,
    /// Connections, a multiple of the lobby's size.
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Connections in a lobby.
    #[arg(long, default_value_t = 100)]
    lobby_size: usize,
    /// Bytes of a text.
    #[arg(long, default_value_t = 128, value_parser = payload)]
    payload: usize,
    /// Broadcasts under way in each lobby at any time: the next is sent when one has reached all.
    #[arg(long, default_value_t = 16)]
    outstanding: usize,
    /// Of the broadcasts that are due at the same moment each is another member's; else a member says them all in one
    /// write, and the next member those that are due next.
    #[arg(long, conflicts_with_all = ["rate", "idle"])]
    scattered: bool,
    /// Instead, send so many broadcasts per second in all, one lobby after the other, whatever has arrived. Latency
    /// then counts from when a message was to be sent, so that a server that falls behind cannot hide it.
    #[arg(long, conflicts_with = "outstanding")]
    rate: Option<f64>,
    /// How many seconds count.
    #[arg(long, default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// For how many seconds it sends before.
    #[arg(long, default_value = "0.5", value_parser = seconds)]
    warm_up: Duration,
    /// After how many seconds a message that has not come counts as lost.
    #[arg(long, default_value = "10", value_parser = seconds)]
    patience: Duration,
    /// Send nothing: connect, wait until nothing comes any more and measure the server's memory.
    #[arg(long, conflicts_with_all = ["outstanding", "rate"], requires = "pid")]
    idle: bool,
    /// A process of the server, for its CPU time and memory; repeat it for several.
    #[arg(long)]
    pid: Vec<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn payload(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if bytes >= MIN_PAYLOAD => Ok(bytes),
        _ => Err(format!(
            "a number from {MIN_PAYLOAD} on: that much is needed to tell messages apart"
        )),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match measure(&args) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<String, String> {
    let Some(host) = args.url.strip_prefix("ws://").or(args.url.strip_prefix("http://")) else {
        return Err(format!("{} is not ws://HOST:PORT", args.url));
    };
    allow_descriptors(args.clients as u64 + SPARE)?;
    let settings = Settings {
        host: host.trim_end_matches('/').to_owned(),
        path: args.path.clone(),
        clients: args.clients,
        lobby_size: args.lobby_size,
        payload: args.payload,
        pace: match args.rate {
            _ if args.idle => None,
            Some(rate) => Some(Pace::Rate(rate)),
            None => Some(Pace::Outstanding {
                broadcasts: args.outstanding,
                scattered: args.scattered,
            }),
        },
        warm_up: args.warm_up,
        measured: args.seconds,
        patience: args.patience,
        processes: args.pid.clone(),
    };
    let report = load::run(&settings).map_err(|error| error.to_string())?;
    if args.json {
        serde_json::to_string(&report)
            .map(|json| json + "\n")
            .map_err(|error| error.to_string())
    } else {
        Ok(report.to_string())
    }
}

/// Raises the limit on open files as far as is needed.
fn allow_descriptors(needed: u64) -> Result<(), String> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let wanted = Rlimit {
        current: Some(needed),
        maximum,
    };
    setrlimit(Resource::Nofile, wanted)
        .map_err(|_| format!("{needed} open files are needed and {maximum:?} allowed: raise `ulimit -n`"))
}
