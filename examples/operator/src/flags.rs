//! Flags and environment.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::{Door, Token};

/// Whether there is a door, and who may come in.
#[derive(Clone, Debug, Args)]
pub struct DoorFlags {
    /// Where operators give orders over HTTP: a private address. There is no such door without it, and none without a
    /// token, which the variable `LOBBY_OPERATOR_TOKEN` or a file holds.
    #[arg(long, env = "LOBBY_OPERATOR", value_name = "ADDRESS")]
    operator: Option<SocketAddr>,

    /// The file with the operators' token, which is more than 15 characters.
    #[arg(long, env = "LOBBY_OPERATOR_TOKEN_FILE", value_name = "FILE")]
    operator_token_file: Option<PathBuf>,
}

impl DoorFlags {
    /// The door, if there is to be one. It listens, and nobody answers yet.
    ///
    /// # Errors
    /// If there is to be a door and there is no token, or none that will do, or if the address cannot be had.
    pub fn door(&self) -> io::Result<Option<Door>> {
        let Some(address) = self.operator else {
            return Ok(None);
        };
        let token = Token::load("operator", self.operator_token_file.as_deref(), "LOBBY_OPERATOR_TOKEN")?;
        Door::bind(address, token).map(Some).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot listen for operators on {address}: {error}"),
            )
        })
    }
}
