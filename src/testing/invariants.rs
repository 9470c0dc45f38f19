//! The invariants, for those who have only a manager.

use crate::{Manager, Violation};

/// Looks whether everything holds of a manager that always does: that its tables agree with one another, that what it
/// counts is what there is, that no limit is overrun. [`Invariant`](crate::Invariant) has them all, a line each.
///
/// For tests: it goes through everything there is, O(n log n). It panics on no manager.
///
/// # Errors
/// The first invariant that does not hold, which is a defect of this library.
///
/// ```
/// use lobbykeeper::testing::check_invariants;
/// use lobbykeeper::{Config, Handshake, Manager, Outbox, Time};
///
/// let mut manager = Manager::new(Config::default()).unwrap();
/// manager.connected(Time::ZERO, Handshake::new("den", "ann"), &mut Outbox::new()).unwrap();
/// assert_eq!(check_invariants(&manager), Ok(()));
/// ```
pub fn check_invariants(manager: &Manager) -> Result<(), Violation> {
    manager.check_invariants()
}
