//! The command: flags, log, address, Ctrl-C.

use std::convert::Infallible;
use std::process::ExitCode;

use clap::Parser;
use futures_util::FutureExt;
use lobby_chat::{or_exit, when_told_to_stop};
use lobby_server::{Args, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let settings = or_exit::<Args, _>(args.flags.settings());
    let operator = or_exit::<Args, _>(args.operator.door());
    let window = or_exit::<Args, _>(args.window.window());
    lobby_chat::log_to_stderr();
    let listener = match TcpListener::bind(args.listen).await {
        Ok(listener) => listener,
        Err(error) => return fail(&format!("cannot listen on {}: {error}", args.listen)),
    };
    println!("http://{}", listener.local_addr().unwrap_or(args.listen));
    let (stop, stopped) = oneshot::channel::<Infallible>();
    if let Err(error) = when_told_to_stop(|| drop(stop)) {
        return fail(&error.to_string());
    }
    match serve(listener, &settings, operator, window, stopped.map(drop)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
