//! The command: flags, log, address, Ctrl-C.

use std::process::ExitCode;

use clap::Parser;
use lobby_chat::or_exit;
use lobby_server::{Args, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let settings = or_exit::<Args, _>(args.flags.settings());
    let operator = or_exit::<Args, _>(args.operator.door());
    lobby_chat::log_to_stderr();
    let listener = match TcpListener::bind(args.listen).await {
        Ok(listener) => listener,
        Err(error) => return fail(&format!("cannot listen on {}: {error}", args.listen)),
    };
    println!("http://{}", listener.local_addr().unwrap_or(args.listen));
    match serve(listener, &settings, operator, told_to_stop()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Ctrl-C, or on Unix the signal that service managers send.
async fn told_to_stop() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).ok()?.recv().await
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<Option<()>>();
    tokio::select! {
        // Without a handler the system ends the process by itself, as it ever did.
        Ok(()) = tokio::signal::ctrl_c() => {}
        Some(()) = terminated => {}
        else => std::future::pending().await,
    }
}
