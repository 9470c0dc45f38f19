//! How a connection is told to go: close frames, refusals and when to try again.

use alloc::format;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::payload::Text;
use crate::receipt::Receipt;
use crate::time::{Time, nanos};

/// What may stand in a close frame beside the two bytes of its code (RFC 6455, section 5.5).
const MAX_REASON_BYTES: usize = 123;

/// A close code and a reason that can be sent as they are.
///
/// JSON form: `{"code":4002,"reason":"lobby_full"}`; one that cannot be sent is refused.
///
/// ```
/// use lobbykeeper::CloseFrame;
///
/// let going_away = CloseFrame::new(1001, "shutdown").unwrap();
/// assert_eq!((going_away.code(), going_away.reason()), (1001, "shutdown"));
/// assert!(CloseFrame::new(1006, "").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedCloseFrame")]
pub struct CloseFrame {
    code: u16,
    reason: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedCloseFrame {
    code: u16,
    reason: Text,
}

impl TryFrom<UncheckedCloseFrame> for CloseFrame {
    type Error = CloseFrameError;

    fn try_from(frame: UncheckedCloseFrame) -> Result<Self, CloseFrameError> {
        Self::new(frame.code, frame.reason)
    }
}

impl CloseFrame {
    /// A close frame with this code and reason.
    ///
    /// # Errors
    /// If the code may not be sent (RFC 6455, section 7.4: 1000 to 1003, 1007 to 1014 and 3000 to 4999 may; 1004, 1005,
    /// 1006 and 1015 are reserved), or if the reason is longer than 123 bytes (section 5.5).
    pub fn new(code: u16, reason: impl Into<Text>) -> Result<Self, CloseFrameError> {
        let reason = reason.into();
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            return Err(CloseFrameError::Code(code));
        }
        if reason.as_bytes().len() > MAX_REASON_BYTES {
            return Err(CloseFrameError::Reason {
                bytes: reason.as_bytes().len(),
            });
        }
        Ok(Self { code, reason })
    }

    /// One of the defaults, which a test checks.
    const fn preset(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason: Text::from_static(reason),
        }
    }

    /// The close code.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The reason. O(length).
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }

    pub(crate) const fn reason_text(&self) -> &Text {
        &self.reason
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.reason)
    }
}

/// A close frame that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseFrameError {
    /// The code is reserved or undefined (RFC 6455, section 7.4).
    Code(u16),
    /// The reason has so many bytes, more than 123 (RFC 6455, section 5.5).
    Reason {
        /// Its length.
        bytes: usize,
    },
}

impl fmt::Display for CloseFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "close code {code} cannot be sent (RFC 6455, section 7.4)"),
            Self::Reason { bytes } => {
                write!(
                    f,
                    "a close reason of {bytes} bytes cannot be sent, only up to {MAX_REASON_BYTES}"
                )
            }
        }
    }
}

impl core::error::Error for CloseFrameError {}

/// When one who was turned away should come again.
///
/// JSON form: `"never"`, `{"after":<nanoseconds>}`, `"now"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It would be turned away again, or would turn somebody else away.
    Never,
    /// Not before so long.
    After(#[serde(with = "nanos")] Duration),
    /// At once.
    Now,
}

/// How those are answered who are turned away for one reason: an entry of [`Answers`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Code and reason.
    pub close: CloseFrame,
    /// When to come again.
    pub retry: Retry,
}

/// The table of close codes, reasons and advice. The defaults are what clients of the usual connection managers know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// For the driver, which authenticates: 4001 `unauthorized`.
    pub unauthorized: CloseFrame,
    /// The server is full: 4002 `server_full`, after 5 s.
    pub server_full: Answer,
    /// The lobby is full: 4002 `lobby_full`, after 5 s.
    pub lobby_full: Answer,
    /// The user has as many connections as they may have: 4003 `user_limit`, after 5 s.
    pub user_limit: Answer,
    /// The name of the lobby or the user is empty or too long: 4004 `invalid_name`, never.
    pub invalid_name: Answer,
    /// A newer connection of the same user took the place: 4005 `replaced`, and never again, or two browser tabs would
    /// replace each other for ever.
    pub replaced: CloseFrame,
    /// The lobby is locked, and the user is not in it: 4006 `lobby_locked`, after 30 s.
    pub lobby_locked: Answer,
    /// There are as many connections from the same source as there may be: 4007 `source_limit`, after 5 s.
    pub source_limit: Answer,
    /// What the user proved has expired, at the handshake or since: 4008 `token_expired`, and never again with the same
    /// proof. One who can get a new one may come with it at once.
    pub expired: Answer,

    /// The connection has sent too much too often, [`Config::max_violations`](crate::Config::max_violations) times:
    /// 1008 (policy violation) `rate_limited`, after 5 s. The advice follows the reason as it does in a
    /// [refusal](Refusal::close_frame).
    pub rate_limited: Answer,
    /// The connection has sent more than [`Config::max_message_bytes`](crate::Config::max_message_bytes) at once: 1009
    /// (message too big) `message_too_big`.
    pub message_too_big: CloseFrame,
    /// The server admits no more connections [for the moment](crate::Config::connect_rate): 1013 (try again later, as
    /// IANA lists it, which the usual clients do) `connect_rate`. When to come again is worked out.
    pub connect_rate: CloseFrame,
    /// The reservation that a connection came with has lapsed, was used, or is another's: 4009 `reservation_void`, and
    /// at once, as one that has none.
    pub reservation_void: Answer,
    /// The server is being [drained](crate::Manager::drain): 1012 (service restart, as IANA lists it) `draining`. Who is
    /// refused is told to come again after 5 s, elsewhere if the load balancer has it so; who is closed is told their own
    /// slot instead of this advice.
    pub draining: Answer,
}

impl Default for Answers {
    fn default() -> Self {
        let answer = |code, reason, retry| Answer {
            close: CloseFrame::preset(code, reason),
            retry,
        };
        let later = Retry::After(Duration::from_secs(5));
        Self {
            unauthorized: CloseFrame::preset(4001, "unauthorized"),
            server_full: answer(4002, "server_full", later),
            lobby_full: answer(4002, "lobby_full", later),
            user_limit: answer(4003, "user_limit", later),
            invalid_name: answer(4004, "invalid_name", Retry::Never),
            replaced: CloseFrame::preset(4005, "replaced"),
            lobby_locked: answer(4006, "lobby_locked", Retry::After(Duration::from_secs(30))),
            source_limit: answer(4007, "source_limit", later),
            expired: answer(4008, "token_expired", Retry::Never),
            rate_limited: answer(1008, "rate_limited", later),
            message_too_big: CloseFrame::preset(1009, "message_too_big"),
            connect_rate: CloseFrame::preset(1013, "connect_rate"),
            reservation_void: answer(4009, "reservation_void", Retry::Now),
            draining: answer(1012, "draining", later),
        }
    }
}

impl Answers {
    pub(crate) fn refusal(&self, breach: Breach, at: Time) -> Refusal {
        let Breach { rule, seen, threshold } = breach;
        let (close, retry) = match rule {
            // The rule saw how long the bucket needs to be full, and how long it may need.
            RefusalRule::ConnectRate => (&self.connect_rate, after_nanos(seen.saturating_sub(threshold))),
            _ => self.answer(rule),
        };
        Refusal {
            rule,
            close: close.clone(),
            retry,
            receipt: Receipt::of_count(seen, threshold, at),
        }
    }

    /// What is sent to one who is closed by a rule that also refuses.
    pub(crate) fn close_frame(&self, rule: RefusalRule) -> CloseFrame {
        let (close, retry) = self.answer(rule);
        advise(rule, close, retry)
    }

    /// How long the reason of an answer is, its advice included, if that is more than can be sent.
    pub(crate) fn oversize(&self, rule: RefusalRule) -> Option<usize> {
        let mut bytes = self.close_frame(rule).reason.as_bytes().len();
        if rule == RefusalRule::Draining {
            // The last slot that there can be.
            let slot = self.draining_frame(Duration::from_nanos(u64::MAX));
            bytes = bytes.max(slot.reason.as_bytes().len());
        }
        (bytes > MAX_REASON_BYTES).then_some(bytes)
    }

    /// What one is sent whom a drain closes, and who may return after this delay.
    pub(crate) fn draining_frame(&self, delay: Duration) -> CloseFrame {
        advise(RefusalRule::Draining, &self.draining.close, Retry::After(delay))
    }

    /// As it is set; for the connect rate, with the longest advice that there can be.
    const fn answer(&self, rule: RefusalRule) -> (&CloseFrame, Retry) {
        let Answer { close, retry } = match rule {
            RefusalRule::ServerFull => &self.server_full,
            RefusalRule::LobbyFull => &self.lobby_full,
            RefusalRule::UserLimit => &self.user_limit,
            RefusalRule::InvalidName => &self.invalid_name,
            RefusalRule::LobbyLocked => &self.lobby_locked,
            RefusalRule::SourceLimit => &self.source_limit,
            RefusalRule::Expired => &self.expired,
            RefusalRule::ReservationVoid => &self.reservation_void,
            RefusalRule::Draining => &self.draining,
            RefusalRule::ConnectRate => return (&self.connect_rate, after_nanos(u64::MAX)),
        };
        (close, *retry)
    }

    /// What a connection is closed with that has sent too much too often.
    pub(crate) fn rate_limited_frame(&self) -> CloseFrame {
        with_advice(&self.rate_limited.close, self.rate_limited.retry)
    }

    /// As [`oversize`](Self::oversize), of that frame.
    pub(crate) fn oversize_rate_limited(&self) -> Option<usize> {
        let bytes = self.rate_limited_frame().reason.as_bytes().len();
        (bytes > MAX_REASON_BYTES).then_some(bytes)
    }
}

const fn after_nanos(nanos: u64) -> Retry {
    Retry::After(Duration::from_nanos(nanos))
}

/// The close frame that tells when to come again, to those who do not compare its reason.
fn advise(rule: RefusalRule, close: &CloseFrame, retry: Retry) -> CloseFrame {
    match rule {
        RefusalRule::ServerFull | RefusalRule::LobbyFull => close.clone(),
        _ => with_advice(close, retry),
    }
}

/// The close frame with the advice behind its reason, in milliseconds that are rounded up: who comes earlier is too
/// early.
fn with_advice(close: &CloseFrame, retry: Retry) -> CloseFrame {
    let millis = match retry {
        Retry::Never => return close.clone(),
        Retry::Now => 0,
        Retry::After(delay) => delay.as_nanos().div_ceil(1_000_000),
    };
    CloseFrame {
        code: close.code,
        reason: format!("{};retry={millis}", close.reason).into(),
    }
}

/// A rule that stands against somebody, before it is worded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breach {
    pub(crate) rule: RefusalRule,
    pub(crate) seen: u64,
    pub(crate) threshold: u64,
}

/// The rule that a connection was refused by.
///
/// JSON form: snake case, `"lobby_full"` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalRule {
    /// [`Config::max_connections`](crate::Config::max_connections).
    ServerFull,
    /// [`Config::max_connections_per_lobby`](crate::Config::max_connections_per_lobby).
    LobbyFull,
    /// [`Config::max_connections_per_user`](crate::Config::max_connections_per_user).
    UserLimit,
    /// [`Config::max_name_bytes`](crate::Config::max_name_bytes), or an empty name.
    InvalidName,
    /// [`Manager::lock_lobby`](crate::Manager::lock_lobby).
    LobbyLocked,
    /// [`Config::max_connections_per_source`](crate::Config::max_connections_per_source).
    SourceLimit,
    /// [`Handshake::expires`](crate::Handshake::expires).
    Expired,
    /// [`Config::connect_rate`](crate::Config::connect_rate). [`Refusal::retry`] has the exact delay after which the
    /// connection would be admitted, if nobody else is until then and the server is not paused.
    ConnectRate,
    /// [`Handshake::reservation`](crate::Handshake::reservation): no seat is held under this id for this user, from this
    /// source, in this lobby.
    ReservationVoid,

    /// [`Manager::drain`](crate::Manager::drain).
    Draining,
}

impl RefusalRule {
    /// All of them, in the order in which they are checked.
    pub const ALL: [Self; 10] = [
        Self::Draining,
        Self::InvalidName,
        Self::Expired,
        Self::ReservationVoid,
        Self::ServerFull,
        Self::LobbyLocked,
        Self::LobbyFull,
        Self::UserLimit,
        Self::SourceLimit,
        Self::ConnectRate,
    ];
}

impl fmt::Display for RefusalRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerFull => "server full",
            Self::LobbyFull => "lobby full",
            Self::UserLimit => "user limit",
            Self::InvalidName => "invalid name",
            Self::LobbyLocked => "lobby locked",
            Self::SourceLimit => "source limit",
            Self::Expired => "expired",
            Self::ConnectRate => "connect rate",
            Self::ReservationVoid => "reservation void",
            Self::Draining => "draining",
        })
    }
}

/// A connection was not admitted, and left no trace but a counter.
///
/// The driver finishes the WebSocket upgrade and then closes with [`close_frame`](Self::close_frame): a socket that is
/// closed before the upgrade shows a browser nothing but 1006.
///
/// JSON form:
/// `{"rule":"lobby_full","close":{"code":4002,"reason":"lobby_full"},"retry":{"after":5000000000},"receipt":{...}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    rule: RefusalRule,
    close: CloseFrame,
    retry: Retry,
    receipt: Receipt,
}

impl Refusal {
    /// The rule that refused: the first that failed, in the order of [`RefusalRule::ALL`].
    pub const fn rule(&self) -> RefusalRule {
        self.rule
    }

    /// The close code.
    pub const fn code(&self) -> u16 {
        self.close.code()
    }

    /// The bare reason, without the advice.
    pub fn reason(&self) -> &str {
        self.close.reason()
    }

    /// When to come again.
    pub const fn retry(&self) -> Retry {
        self.retry
    }

    /// What the refusal rests on. Its time is the refused call's, and for [`can_accept`](crate::Manager::can_accept)
    /// that of the latest call.
    pub const fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// What to send: the advice to come again follows the reason as `;retry=MS`, rounded up. `server_full` and
    /// `lobby_full` go as they are, because clients compare them, and so does a reason that says never.
    pub fn close_frame(&self) -> CloseFrame {
        advise(self.rule, &self.close, self.retry)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {} ({})", self.rule, self.close)
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_could_be_made_by_the_front_door() {
        let answers = Answers::default();
        let presets = [
            answers.unauthorized,
            answers.server_full.close,
            answers.lobby_full.close,
            answers.user_limit.close,
            answers.invalid_name.close,
            answers.replaced,
            answers.lobby_locked.close,
            answers.source_limit.close,
            answers.expired.close,
            answers.rate_limited.close,
            answers.message_too_big,
            answers.connect_rate,
            answers.reservation_void.close,
            answers.draining.close,
        ];
        for preset in presets {
            assert_eq!(CloseFrame::new(preset.code(), preset.reason()), Ok(preset));
        }
    }
}
