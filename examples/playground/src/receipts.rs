//! Why somebody was refused, told to close or evicted: the receipts in sentences. Times are in whole milliseconds.

use std::time::Duration;

use lobbykeeper::{Closing, Eviction, Receipt, Refusal, RefusalRule, Retry, Time};

/// An instant as a clock shows it: `0:36.087`, `1:02:05.000`.
pub(crate) fn clock(at: Time) -> String {
    let (seconds, millis) = (at.as_millis() / 1_000, at.as_millis() % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{millis:03}")
    } else {
        format!("{minutes}:{seconds:02}.{millis:03}")
    }
}

fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}

pub(crate) fn eviction(cause: Eviction, receipt: &Receipt) -> String {
    let Receipt {
        seen,
        threshold,
        waited,
        at,
        ..
    } = receipt;
    let why = match cause {
        Eviction::Stale => {
            format!(
                "it missed {seen} pings in a row, and {threshold} evict; nothing was heard of it for {}",
                span(*waited)
            )
        }
        Eviction::CloseTimeout => format!(
            "it was told to close {} ago and did not; it may take {}",
            span(*waited),
            span(Duration::from_nanos(*threshold))
        ),
        Eviction::Replaced => "it was replaced and still closing when the next of its user was replaced".into(),
        Eviction::SlowConsumer => format!("too much waited for it to be read: {seen}, at most {threshold}"),
        Eviction::OverBudget => {
            format!("too many bytes waited for all clients together, {seen}, at most {threshold}, and the most for it")
        }
        other => format!("{other} ({receipt})"),
    };
    format!("evicted at {}: {why}", clock(*at))
}

pub(crate) fn closing(cause: Closing, receipt: &Receipt) -> String {
    let Receipt {
        seen, threshold, at, ..
    } = receipt;
    let why = match cause {
        Closing::Requested => "the application asked for it".into(),
        Closing::Replaced => {
            format!("a newer connection of its user came, who had {seen}, at most {threshold}")
        }
        Closing::Draining => "the server is being emptied, and it was its turn".into(),
        Closing::RateLimited => format!("it sent too fast too often: {seen}, and {threshold} close it"),
        Closing::MessageTooBig => format!("it sent a message of {seen} bytes, at most {threshold}"),
        Closing::Expired => "what its user had proved has expired".into(),
        other => format!("{other} ({receipt})"),
    };
    format!("closed at {}: {why}", clock(*at))
}

pub(crate) fn refusal(refusal: &Refusal) -> String {
    let receipt = refusal.receipt();
    let Receipt {
        seen, threshold, at, ..
    } = receipt;
    let why = match refusal.rule() {
        RefusalRule::ServerFull => format!("connections of the server: {seen}, at most {threshold}"),
        RefusalRule::LobbyFull => format!("connections of the lobby: {seen}, at most {threshold}"),
        RefusalRule::UserLimit => format!("connections of the user: {seen}, at most {threshold}"),
        RefusalRule::InvalidName => format!("bytes of a name: {seen}, 1 to {threshold}"),
        RefusalRule::Draining => "the server is being emptied".into(),
        rule => format!("{rule} ({receipt})"),
    };
    let retry = match refusal.retry() {
        Retry::Never => "it is not to come again".into(),
        Retry::After(delay) => format!("it may come again after {}", span(delay)),
        Retry::Now => "it may come again at once".into(),
    };
    format!(
        "refused at {} with {}: {why}; {retry}",
        clock(at),
        refusal.close_frame()
    )
}
