//! Sequences of inputs.

use lobbykeeper::testing::{Difference, Pair, replay};

use super::bytes::Bytes;

/// So many steps are enough to reach everything, and few enough to be fast.
const MOST_STEPS: usize = 120;

/// Gives the manager and the reference model the same settings and inputs; they must agree on every output, reply and
/// query, and the invariants hold. A text that starts with a brace is a log, which is [replayed](replay); from anything
/// else settings and steps are decoded.
pub fn inputs(data: &[u8]) {
    let outcome = match std::str::from_utf8(data) {
        Ok(log) if log.starts_with('{') => replay(log),
        _ => run(Bytes(data)),
    };
    outcome.expect("the manager does what the model says");
}

fn run(mut bytes: Bytes<'_>) -> Result<(), Difference> {
    let Ok(mut pair) = Pair::new(bytes.knobs().into()) else {
        return Ok(());
    };
    for _ in 0..MOST_STEPS {
        if bytes.is_empty() {
            break;
        }
        let input = pair.reference.input(&bytes.step());
        pair.feed(&input)?;
    }
    Ok(())
}
