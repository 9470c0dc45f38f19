//! Ctrl-C, and on Unix the signals that service managers and closing terminals send.

use std::process;

/// Whoever says it again does not want to wait. The code is that of a command that Ctrl-C ended.
const ENDED_BY_A_SIGNAL: i32 = 130;

/// Calls `stop` at the first signal to stop, on a thread of its own. At the second one the process ends at once.
///
/// # Errors
/// If the system refuses.
pub fn when_told_to_stop(stop: impl FnOnce() + Send + 'static) -> Result<(), ctrlc::Error> {
    let mut stop = Some(stop);
    ctrlc::set_handler(move || match stop.take() {
        Some(stop) => stop(),
        None => process::exit(ENDED_BY_A_SIGNAL),
    })
}
