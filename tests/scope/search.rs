//! All that may happen, breadth first.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lobbykeeper::testing::{Meeting, Meetings, Outcome, Reference, Step, View, check_invariants, replay};
use lobbykeeper::{Config, Input, Manager, Outbox};

use super::Alphabet;
use super::state::State;

/// Up to so many events all queries are compared after each; beyond, in each new state.
const QUERIES_DEPTH: usize = 4;

/// The first state, from which the others are found by their steps.
const ROOT: u32 = u32::MAX;

/// A search from a manager without connections through everything that so many events may lead to.
pub(crate) struct Search {
    pub(crate) config: Config,
    pub(crate) alphabet: Alphabet,
}

/// How far a search came.
#[derive(Default)]
pub(crate) struct Tally {
    /// Distinct states, each of which was followed by every event of the alphabet.
    pub(crate) states: usize,
    /// Events that were given to a manager, and what came of each checked.
    pub(crate) transitions: u64,
    /// Events, one after the other.
    pub(crate) depth: usize,
    /// Where rules met.
    pub(crate) meetings: Meetings,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states,
            transitions,
            depth,
            ..
        } = self;
        write!(f, "{depth} events, {states} states, {transitions} transitions")
    }
}

impl Tally {
    pub(crate) fn has_met(&self, meetings: &[Meeting]) -> bool {
        meetings.iter().all(|&meeting| self.meetings.count(meeting) > 0)
    }
}

/// The manager and what it should be.
#[derive(Clone)]
struct World {
    manager: Manager,
    reference: Reference,
}

/// How a state was come to first, which is by as few events as possible.
struct Node {
    /// The state before.
    parent: u32,
    step: Step,
}

impl Search {
    /// Gives every sequence of events, as far as it leads to a state of its own, to a manager and to the model. After
    /// every single event all invariants hold, and the reply and the outputs are those of the model; in every state that
    /// is followed further, so are all queries.
    ///
    /// What the last event of a sequence leads to is checked like everything else, but not told apart.
    ///
    /// # Panics
    /// If that is not so, with the shortest log that shows it, which `lobbykeeper::testing::replay` reads.
    pub(crate) fn run(&self, depth: usize) -> Tally {
        let ids_matter = self.config.ping_interval.is_some();
        let (mut out, mut json) = (Outbox::new(), Vec::new());
        let root = self.root();
        let mut tally = Tally {
            depth,
            ..Tally::default()
        };
        let mut known = HashSet::from([State::of(&root.manager, &mut json).key(ids_matter)]);
        let mut nodes: Vec<Node> = Vec::new();
        let mut level = vec![ROOT];
        for number in 1..=depth {
            let mut next = Vec::new();
            tally.states += level.len();
            for &node in &level {
                let before = Self::at(&root, &nodes, node);
                let state = State::of(&before.manager, &mut json);
                for step in self.alphabet.steps(&before.manager, &before.reference, &state) {
                    let mut after = before.clone();
                    let input = step.input(&before.reference.seen, before.manager.next_deadline());
                    let outcome = after.feed(&input, &mut out);
                    let outcome = outcome.unwrap_or_else(|what| self.fail(&nodes, node, &input, &what));
                    tally.transitions += 1;
                    tally
                        .meetings
                        .observe(&before.reference.model, &input, &outcome, &after.reference.model);
                    if number == depth {
                        continue;
                    }
                    let is_new = known.insert(State::of(&after.manager, &mut json).key(ids_matter));
                    if is_new || number <= QUERIES_DEPTH {
                        let same = after.compare_queries();
                        same.unwrap_or_else(|what| self.fail(&nodes, node, &input, &what));
                    }
                    if is_new {
                        next.push(u32::try_from(nodes.len()).expect("fewer than 2^32 states"));
                        nodes.push(Node { parent: node, step });
                    }
                }
            }
            level = next;
        }
        tally
    }

    fn root(&self) -> World {
        World {
            manager: Manager::new(self.config.clone()).expect("valid settings"),
            reference: Reference::new(self.config.clone()),
        }
    }

    /// A state that was found, made anew by the events that lead to it: to keep them all would take gigabytes.
    fn at(root: &World, nodes: &[Node], node: u32) -> World {
        let mut world = root.clone();
        let mut out = Outbox::new();
        for step in path(nodes, node) {
            let input = step.input(&world.reference.seen, world.manager.next_deadline());
            world.manager.apply(input.clone(), &mut out);
            world.reference.apply(&input);
            out.clear();
        }
        world
    }

    fn fail(&self, nodes: &[Node], node: u32, input: &Input<'_>, what: &str) -> ! {
        let mut log = serde_json::to_string(&self.config).expect("settings are JSON");
        let mut world = self.root();
        for step in path(nodes, node) {
            let input = step.input(&world.reference.seen, world.manager.next_deadline());
            log = format!("{log}\n{}", serde_json::to_string(&input).expect("an input is JSON"));
            world.manager.apply(input.clone(), &mut Outbox::new());
            world.reference.apply(&input);
        }
        log = format!("{log}\n{}", serde_json::to_string(input).expect("an input is JSON"));
        let events = path(nodes, node).len() + 1;
        match catch_unwind(|| replay(&log)) {
            Ok(Err(difference)) => panic!("after {events} events\n{difference}"),
            _ => panic!("after {events} events\n{log}\n{what}"),
        }
    }
}

/// The steps that lead to a state.
fn path(nodes: &[Node], mut node: u32) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(Node { parent, step }) = nodes.get(node as usize) {
        steps.push(step.clone());
        node = *parent;
    }
    steps.reverse();
    steps
}

impl World {
    /// Gives both the same input.
    fn feed(&mut self, input: &Input<'_>, out: &mut Outbox) -> Result<Outcome, String> {
        let expected = self.reference.apply(input);
        out.clear();
        let reply = catch_unwind(AssertUnwindSafe(|| self.manager.apply(input.clone(), out)));
        let reply = reply.map_err(|_| "the manager panicked")?;
        let found = Outcome::of(&reply, out);
        if found != expected {
            return Err(format!("{found:#?}\nis not what the model says:\n{expected:#?}"));
        }
        check_invariants(&self.manager).map_err(|violation| violation.to_string())?;
        Ok(found)
    }

    fn compare_queries(&self) -> Result<(), String> {
        let (found, expected) = (
            View::of(&self.manager, &self.reference.seen),
            View::expected(&self.reference),
        );
        if found == expected {
            return Ok(());
        }
        Err(format!("{found:#?}\nis not what the model says:\n{expected:#?}"))
    }
}
