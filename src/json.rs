//! What JSON forms share.

use serde::{Deserialize, Deserializer};

/// A value that may be null but not missing, for `deserialize_with`: left to itself, serde takes the one for the other.
pub(crate) fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}
