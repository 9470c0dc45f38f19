//! The command for hostile load: see `lobby_load::hostile`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use lobby_load::hostile::{ATTACKS, HostileError, Outcome, Server, phase};

/// Attacks lobby servers, one attack after the other, while healthy clients chat. It prints what that did to the healthy
/// ones and to the server's memory, and ends with code 1 if a healthy client missed anything or if the server took more
/// memory than it may.
#[derive(Debug, Parser)]
#[command(name = "lobby-hostile")]
struct Args {
    /// The programs to attack, `target/release/lobby-epoll` say.
    #[arg(required = true)]
    servers: Vec<PathBuf>,
    /// How many seconds the healthy clients are measured in each phase.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How much memory a server may take at any time, in MiB.
    #[arg(long, default_value_t = 256)]
    bound: u64,
    /// A flag for the servers; repeat it for several.
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    flag: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut failed = false;
    for program in &args.servers {
        println!("\n{}\n", program.display());
        println!("| phase | p50 (us) | p99 (us) | arrivals | lost | peak (MiB) | bound (MiB) | |");
        println!("|---|---|---|---|---|---|---|---|");
        if let Err(error) = attack(&args, program) {
            println!("\nFAILED: {error}");
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn attack(args: &Args, program: &std::path::Path) -> Result<(), HostileError> {
    let server = Server::start(program, &args.flag)?;
    let phases = std::iter::once(None).chain(ATTACKS.iter().map(Some));
    for attack in phases {
        let name = attack.map_or("quiet", |attack| attack.name);
        let Outcome {
            deeds,
            latency,
            delivered,
            peak,
        } = phase(&server, Duration::from_secs(args.seconds), attack)?;
        let (peak, bound) = (peak >> 20, args.bound);
        println!(
            "| {name} | {:.0} | {:.0} | {delivered} | 0 | {peak} | {bound} | {deeds} |",
            latency.p50, latency.p99
        );
        if peak > bound {
            return Err(HostileError::Attack(format!(
                "{peak} MiB of memory, and {bound} are allowed"
            )));
        }
    }
    Ok(())
}
