//! Where the rates, and the limit of a message's length, meet other rules.

use super::meetings::{Meeting, Scene};
use super::model::Model;
use super::told::{Answered, Told};
use crate::{Config, ConnId, DropReason, Handshake, Inbound, RefusalRule};

impl Scene<'_> {
    pub(super) fn connect_rate(&self, handshake: &Handshake<'_>) -> [(Meeting, bool); 2] {
        let refused_by = match &self.outcome.answered {
            Answered::Connected(Err(refusal)) => Some(refusal.rule),
            _ => None,
        };
        let is_over = self.before.check_connect_rate().is_err();
        let unhurried = Model {
            config: Config {
                connect_rate: None,
                ..self.before.config.clone()
            },
            ..self.before.clone()
        };
        let would_replace = unhurried.admission(handshake).is_ok_and(|way| way.victim.is_some());
        let other = refused_by.is_some_and(|rule| rule != RefusalRule::ConnectRate);
        [
            (
                Meeting::ConnectRateReplace,
                refused_by == Some(RefusalRule::ConnectRate) && would_replace,
            ),
            (
                Meeting::ConnectRateLimit,
                other && !is_over && self.before.config.connect_rate.is_some(),
            ),
        ]
    }

    pub(super) fn message(&self, conn: ConnId) -> Vec<(Meeting, bool)> {
        let Some(then) = self.before.open(conn) else {
            return Vec::new();
        };
        let (inbound, told) = (&self.outcome.answered, &self.outcome.told);
        let paused = told.iter().find_map(|told| match told {
            Told::Paused { by } => Some(*by),
            _ => None,
        });
        let throttled = told.iter().find_map(|told| match told {
            Told::Throttled { retry_after, .. } => Some(*retry_after),
            _ => None,
        });
        let too_big = *inbound == Answered::Message(Inbound::Dropped(DropReason::TooBig));
        let answers = told.iter().any(|told| matches!(told, Told::Pong { .. }));
        let would_be_throttled = self.after.would_be_throttled(then);
        [
            (
                Meeting::PauseRates,
                throttled.zip(paused).is_some_and(|(wait, by)| wait <= by),
            ),
            (Meeting::RatesPong, answers && would_be_throttled),
            (Meeting::RatesSilence, throttled.is_some() && then.health.missed > 0),
            (
                Meeting::RatesBoth,
                throttled.is_some() && self.after.would_be_throttled_by_one(then),
            ),
            (Meeting::SizeRates, too_big && would_be_throttled),
        ]
        .into()
    }

    /// A user's last connection has gone, and the user had sent as much as may be.
    pub(super) fn forgets_a_throttled_user(&self) -> bool {
        let mut gone = self.outcome.told.iter().filter_map(|told| match told {
            Told::Ended { user, .. } => Some(user),
            _ => None,
        });
        gone.any(|user| self.before.is_user_throttled(user) && !self.after.is_user_throttled(user))
    }
}
