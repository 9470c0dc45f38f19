//! Flags and environment.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use lobby_operator::Token;

use super::Window;

/// Whether the server can be watched, and by whom.
#[derive(Clone, Debug, Args)]
pub struct WindowFlags {
    /// Where `/metrics` and `/dashboard` are: a private address. There is neither without it, nor without a token,
    /// which the variable `LOBBY_METRICS_TOKEN` or a file holds.
    #[arg(long, env = "LOBBY_METRICS", value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,

    /// The file with the token of those who may watch, which is more than 15 characters.
    #[arg(long, env = "LOBBY_METRICS_TOKEN_FILE", value_name = "FILE")]
    metrics_token_file: Option<PathBuf>,
}

impl WindowFlags {
    /// The window, if there is to be one. It listens, and nobody answers yet.
    ///
    /// # Errors
    /// If there is to be one and there is no token, or none that will do, or if the address cannot be had.
    ///
    /// # Panics
    /// Outside a tokio runtime, if there is to be one.
    pub fn window(&self) -> io::Result<Option<Window>> {
        let Some(address) = self.metrics else {
            return Ok(None);
        };
        let token = Token::load("metrics", self.metrics_token_file.as_deref(), "LOBBY_METRICS_TOKEN")?;
        Window::bind(address, token)
            .map(Some)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot show metrics on {address}: {error}")))
    }
}
