//! The manager and the model side by side.

use std::fmt;

use super::invariants::check_invariants;
use super::model::Model;
use super::seen::Seen;
use super::step::{Step, Steps};
use super::told::Outcome;
use super::view::{View, difference};
use crate::{Config, ConfigError, Input, Manager, Outbox};

/// What should be: the model, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The model.
    pub model: Model,
    /// What went in and came out so far.
    pub seen: Seen,
}

impl Reference {
    /// A model with no connections. The settings must be valid.
    pub fn new(config: Config) -> Self {
        Self {
            seen: Seen::new(&config),
            model: Model::new(config),
        }
    }

    /// What a step is here and now.
    pub fn input(&self, step: &Step) -> Input<'static> {
        step.input(&self.seen, self.model.next_deadline())
    }

    /// What has to come of this input.
    pub fn apply(&mut self, input: &Input<'_>) -> Outcome {
        let outcome = self.model.apply(input);
        self.seen.note(input, &outcome);
        outcome
    }
}

/// The manager under test, with a log of what it was given.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The manager.
    pub manager: Manager,
    /// What the last input wrote.
    pub out: Outbox,
    /// Every input so far, in the JSON form in which it can be replayed.
    log: Vec<String>,
}

impl Subject {
    /// A manager with no connections.
    ///
    /// # Errors
    /// What [`Config::validate`] finds.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            manager: Manager::new(config)?,
            out: Outbox::new(),
            log: Vec::new(),
        })
    }

    /// Gives the manager one input and compares its reply, all outputs and all queries with those of a reference that
    /// was given the same; then [checks the invariants](check_invariants).
    ///
    /// # Errors
    /// The first difference, or the invariant that does not hold.
    pub fn feed(&mut self, input: &Input<'_>, expected: &Outcome, reference: &Reference) -> Result<(), Difference> {
        self.log.push(serde_json::to_string(input).expect("an input is JSON"));
        self.out.clear();
        let reply = self.manager.apply(input.clone(), &mut self.out);
        let found = Outcome::of(&reply, &self.out);
        difference("the outputs", &found.told, &expected.told)
            .and_then(|()| difference("the replies", &found.answered, &expected.answered))
            .and_then(|()| {
                let found = View::of(&self.manager, &reference.seen);
                difference("the queries", &found, &View::expected(reference))
            })
            .and_then(|()| check_invariants(&self.manager).map_err(|violation| violation.to_string()))
            .map_err(|text| self.difference(text))
    }

    fn difference(&self, text: String) -> Difference {
        let mut log = serde_json::to_string(self.manager.config()).expect("settings are JSON");
        for input in &self.log {
            log.push('\n');
            log.push_str(input);
        }
        Difference { log, text }
    }
}

/// Where the manager is not what the model says, or breaks an invariant. `Display` and `Debug` show the log, then the lines that differ.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    log: String,
    text: String,
}

impl Difference {
    /// The settings and all inputs that lead to it, a JSON line each: what [`replay`](super::replay) reads.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// What differs, or what does not hold.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.log, self.text)
    }
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Difference {}

/// Both, fed alike and compared after each input.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What is.
    pub subject: Subject,
    /// What should be.
    pub reference: Reference,
}

impl Pair {
    /// Both with no connections.
    ///
    /// # Errors
    /// What [`Config::validate`] finds.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            subject: Subject::new(config.clone())?,
            reference: Reference::new(config),
        })
    }

    /// Both after these steps, and the inputs that the steps came to.
    ///
    /// # Panics
    /// If the settings are invalid, or if the two differ.
    pub fn after(config: Config, steps: &Steps) -> (Self, Vec<Input<'static>>) {
        let mut pair = Self::new(config).expect("valid settings");
        let inputs = steps.0.iter().map(|step| {
            let input = pair.reference.input(step);
            pair.feed(&input).expect("the manager does what the model says");
            input
        });
        let inputs = inputs.collect();
        (pair, inputs)
    }

    /// Gives both the same input, and compares and checks as [`Subject::feed`] does. Returns what came of it.
    ///
    /// # Errors
    /// The first difference, or the invariant that does not hold.
    pub fn feed(&mut self, input: &Input<'_>) -> Result<Outcome, Difference> {
        let expected = self.reference.apply(input);
        self.subject.feed(input, &expected, &self.reference)?;
        Ok(expected)
    }
}
