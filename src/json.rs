//! What JSON forms share.

use serde::{Deserialize, Deserializer};

/// A value that may be null but not missing, for `deserialize_with`: left to itself, serde takes the one for the other.
pub(crate) fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// A value that may be missing but not null, for `deserialize_with` beside `default`: what is not there is written in
/// one way.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
