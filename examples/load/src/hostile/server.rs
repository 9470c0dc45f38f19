//! A server to attack: a process with the limits off that the attacks would only bounce off.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Every client here comes from one address, and 10,000 of them at once. What else protects the server is as it is by
/// default; only slow handshakes are given up sooner, so that this shows.
const FLAGS: [&str; 10] = [
    "--listen",
    "127.0.0.1:0",
    "--max-connections",
    "12000",
    "--max-per-lobby",
    "32",
    "--connect-rate",
    "off",
    "--handshake-timeout",
    "3s",
];

/// A process, which ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a lobby server and waits until it listens.
    ///
    /// # Errors
    /// If it cannot be started, or does not say where it listens.
    pub fn start(program: &Path, flags: &[String]) -> io::Result<Self> {
        let mut process = Command::new(program)
            .args(FLAGS)
            .args(flags)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if let Some(Ok(address)) = line.trim().strip_prefix("http://").map(str::parse) {
            return Ok(Self { process, address });
        }
        let _ = process.kill();
        let _ = process.wait();
        Err(io::Error::other(format!(
            "{} does not listen: {line:?}",
            program.display()
        )))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the peak of its memory begin with what it has now.
    pub(super) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5")
    }

    /// The most resident memory that it had, in bytes.
    pub(super) fn peak(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
            .map(|kibibytes: u64| kibibytes * 1_024)
            .ok_or_else(|| io::Error::other("the system does not say how much memory it had"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is what the run has failed for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
