//! The log of a difference, replayed.

use super::pair::{Difference, Pair};
use crate::{Config, Input};

/// Gives the manager and the model what a log says: the settings, then the inputs, a line each in their JSON form. A
/// line that is no input is passed over; settings that cannot be read are the defaults, and after invalid ones nothing
/// is to be done.
///
/// # Errors
/// The first difference between the two.
pub fn replay(log: &str) -> Result<(), Difference> {
    let mut lines = log.lines();
    let config: Config = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_default();
    let Ok(mut pair) = Pair::new(config) else {
        return Ok(());
    };
    for line in lines {
        if let Ok(input) = serde_json::from_str::<Input<'_>>(line) {
            pair.feed(&input)?;
        }
    }
    Ok(())
}
