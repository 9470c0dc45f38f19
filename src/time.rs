//! The explicit clock: an instant of the driver's own choosing.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant: nanoseconds since an origin that the driver chooses.
///
/// There is no `now()`. A driver reads its clock once per turn and passes the result to every call, so that a
/// recorded run can be replayed exactly. All 2^64 values are valid (584 years); a sum that would exceed the last
/// one saturates.
///
/// JSON form: the number of nanoseconds.
///
/// ```
/// use core::time::Duration;
/// use lobbykeeper::Time;
///
/// let now = Time::from_secs(3) + Duration::from_millis(250);
/// assert_eq!(now.as_nanos(), 3_250_000_000);
/// assert_eq!(now.saturating_since(Time::from_secs(4)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// The last instant that can be told.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `millis` milliseconds after the origin, or [`Time::MAX`] if that is later.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The instant `secs` seconds after the origin, or [`Time::MAX`] if that is later.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// `instant` as seen from `origin`; [`Time::ZERO`] if it is earlier. The origin is read once, when the driver
    /// starts.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use lobbykeeper::Time;
    ///
    /// let origin = Instant::now();
    /// assert_eq!(Time::since(origin, origin + Duration::from_secs(2)), Time::from_secs(2));
    /// ```
    #[cfg(feature = "std")]
    pub fn since(origin: std::time::Instant, instant: std::time::Instant) -> Self {
        Self(duration_nanos(instant.saturating_duration_since(origin)))
    }

    /// The inverse of [`since`](Self::since), for drivers that sleep until an instant; `None` if the system's clock
    /// does not reach that far.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use lobbykeeper::Time;
    ///
    /// let origin = Instant::now();
    /// assert_eq!(Time::from_secs(2).to_instant(origin), Some(origin + Duration::from_secs(2)));
    /// ```
    #[cfg(feature = "std")]
    pub fn to_instant(self, origin: std::time::Instant) -> Option<std::time::Instant> {
        origin.checked_add(Duration::from_nanos(self.0))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the origin, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Add<Duration> for Time {
    type Output = Self;

    /// Saturates at [`Time::MAX`].
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration_nanos(duration)))
    }
}

impl fmt::Display for Time {
    /// As a duration since the origin: `12.5s`, `250ms`, `0ns`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Duration::from_nanos(self.0), f)
    }
}

/// A duration in nanoseconds, saturating at 584 years.
pub(crate) fn duration_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The JSON form of a duration: whole nanoseconds.
pub(crate) mod nanos {
    use core::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(super::duration_nanos(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}

/// The JSON form of a duration that may be off: whole nanoseconds, or null.
pub(crate) mod optional_nanos {
    use core::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde's `with` calls")]
    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(super::duration_nanos).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_nanos))
    }
}
