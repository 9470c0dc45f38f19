//! Why somebody was refused, told to close or evicted: the receipts in sentences.

use std::time::Duration;

use lobbykeeper::{Closing, Eviction, Receipt, Refusal, RefusalRule, Retry};

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
            format!("it missed {seen} pings of {threshold} that it may; nothing was heard of it for {waited:?}")
        }
        Eviction::CloseTimeout => format!(
            "it was told to close {waited:?} ago and did not; it may take {:?}",
            Duration::from_nanos(*threshold)
        ),
        Eviction::Replaced => "it was replaced and still closing when the next of its user was replaced".into(),
        Eviction::SlowConsumer => format!("{seen} waited for it to be read, and {threshold} may"),
        Eviction::OverBudget => {
            format!("{seen} bytes waited for all clients, {threshold} may, and the most waited for it")
        }
        other => format!("{other} ({receipt})"),
    };
    format!("evicted at {at}: {why}")
}

pub(crate) fn closing(cause: Closing, receipt: &Receipt) -> String {
    let Receipt {
        seen, threshold, at, ..
    } = receipt;
    let why = match cause {
        Closing::Requested => "the application asked for it".into(),
        Closing::Replaced => {
            format!("a newer connection of its user came; the user had {seen}, and may have {threshold}")
        }
        Closing::Draining => "the server is being emptied, and it was its turn".into(),
        Closing::RateLimited => format!("it sent too fast {seen} times, and {threshold} are too many"),
        Closing::MessageTooBig => format!("it sent a message of {seen} bytes, and {threshold} are the most"),
        Closing::Expired => "what its user had proved has expired".into(),
        other => format!("{other} ({receipt})"),
    };
    format!("closed at {at}: {why}")
}

pub(crate) fn refusal(refusal: &Refusal) -> String {
    let receipt = refusal.receipt();
    let Receipt {
        seen, threshold, at, ..
    } = receipt;
    let why = match refusal.rule() {
        RefusalRule::ServerFull => format!("the server has {seen} connections, and may have {threshold}"),
        RefusalRule::LobbyFull => format!("the lobby has {seen} connections, and may have {threshold}"),
        RefusalRule::UserLimit => format!("the user has {seen} connections, and may have {threshold}"),
        RefusalRule::InvalidName => format!("a name has {seen} bytes, and may have 1 to {threshold}"),
        RefusalRule::Draining => "the server is being emptied".into(),
        rule => format!("{rule} ({receipt})"),
    };
    let retry = match refusal.retry() {
        Retry::Never => "it is not to come again".into(),
        Retry::After(delay) => format!("it may come again after {delay:?}"),
        Retry::Now => "it may come again at once".into(),
    };
    format!("refused at {at} with {}: {why}; {retry}", refusal.close_frame())
}
