//! Outputs and replies in plain words.

use lobbykeeper::{Command, ConnId, DropReason, Inbound, JoinError, Notice, Output, Payload, Refusal, Reply, Retry};

/// Something that was said.
pub(crate) struct Said {
    /// What it is counted as where a run is not told in full.
    pub(crate) kind: String,
    pub(crate) words: String,
}

impl Said {
    pub(crate) fn new(kind: &str, words: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            words: words.into(),
        }
    }
}

pub(crate) fn output(output: &Output<'_>) -> Said {
    match output {
        Output::Command(command) => self::command(command),
        Output::Notice(notice) => {
            let asked = matches!(notice, Notice::Pong { requested: true, .. });
            let suffix = if asked { ", as was asked for" } else { "" };
            Said::new(&kind(notice), format!("notice: {notice}{suffix}"))
        }
    }
}

fn command(command: &Command<'_>) -> Said {
    let words = match command {
        Command::Send { to, payload } => {
            let to: Vec<_> = to.iter().map(ConnId::to_string).collect();
            format!("send to {}: {}", to.join(" "), self::payload(payload))
        }
        Command::Close {
            conn,
            code,
            reason,
            cause,
            receipt,
            ..
        } => format!("close {conn} with {code} {reason}; {cause}: {receipt}"),
        Command::Evict {
            conn, cause, receipt, ..
        } => format!("evict {conn}; {cause}: {receipt}"),
    };
    Said::new(&kind(command), words)
}

fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => text.to_string(),
        Payload::Binary(bytes) => format!("{} bytes", bytes.len()),
        Payload::Ping(_) => format!("ping frame {}", String::from_utf8_lossy(payload.as_bytes())),
    }
}

/// The name of the variant, as its JSON form has it.
fn kind(output: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(output).expect("outputs have a JSON form");
    let name = json.as_object().and_then(|object| object.keys().next());
    name.expect("all outputs have fields").clone()
}

/// `None` for a tick, which returns nothing.
pub(crate) fn reply(reply: &Reply) -> Option<Said> {
    let (kind, words) = match reply {
        Reply::Connected(Ok(conn)) => ("admitted", conn.to_string()),
        Reply::Connected(Err(refusal)) | Reply::Reserved(Err(refusal)) => ("refused", self::refusal(refusal)),
        Reply::Message(Inbound::Deliver) => ("message", "deliver".into()),
        Reply::Message(Inbound::Handled) => ("message", "handled".into()),
        Reply::Message(Inbound::Stale) => ("message", "stale".into()),
        Reply::Message(Inbound::Dropped(DropReason::Throttled { by })) => {
            ("message", format!("dropped, the rate of its {by}"))
        }
        Reply::Message(Inbound::Dropped(DropReason::TooBig)) => ("message", "dropped, too big".into()),
        Reply::Changed(changed) => ("changed", changed.to_string()),
        Reply::Addressed(count) => ("addressed", format!("{count} addressed")),
        Reply::Entered(Ok(lobby)) => ("entered", lobby.to_string()),
        Reply::Entered(Err(error)) => ("not entered", join_error(error)),
        Reply::LimitSet(Ok(())) => ("limit set", "set".into()),
        Reply::LimitSet(Err(error)) => ("limit refused", format!("refused: {error}")),
        Reply::Reserved(Ok(seat)) => ("reserved", seat.to_string()),
        Reply::Ticked => return None,
        other => ("reply", format!("{other:?}")),
    };
    Some(Said::new(kind, format!("returns {words}")))
}

pub(crate) fn refusal(refusal: &Refusal) -> String {
    let retry = match refusal.retry() {
        Retry::Never => "never retry".into(),
        Retry::After(delay) => format!("retry after {delay:?}"),
        Retry::Now => "retry now".into(),
    };
    let (rule, receipt, frame) = (refusal.rule(), refusal.receipt(), refusal.close_frame());
    format!("a refusal, {rule}: {receipt}; answer {frame}, {retry}")
}

fn join_error(error: &JoinError) -> String {
    match error {
        JoinError::Refused(refusal) => self::refusal(refusal),
        JoinError::TooManyLobbies(receipt) => format!("an error, {error}: {receipt}"),
        _ => format!("an error, {error}"),
    }
}
