//! Evaluation in as many workers as it takes: what ends one costs the variable that was running, and the
//! others go on in a new one.
//!
//! A new worker knows nothing of the old one's objects. What the remaining variables depend on is evaluated
//! again, quietly; of what had failed it is told the reason, so that the chain of causes is the same. It evaluates
//! one variable at a time, so that whatever breaks it has a name.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Cause, End, Event, Limits, Request, Worker};
use crate::error::Result;
use crate::manifest::Manifest;
use crate::selection::with_dependencies;
use crate::value::{Failure, Outcome};

/// The class of failures that only repeat those of others; the runtime makes them anew.
const DEPENDENCY_ERROR: &str = "DependencyError";

/// Why an evaluation ended before all variables had their turn to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutShort {
    /// The reason, for people.
    pub why: String,
    /// Whether somebody asked for it ([`super::Stop`]).
    pub stopped: bool,
}

impl Worker {
    /// Evaluates all of `request`, with a new Python after each that has ended before its time. Every variable
    /// that is stored is heard of once, those that had no turn too; the reason for that is returned.
    ///
    /// # Errors
    /// [`crate::Error::Unopened`], [`crate::Error::NoRoom`]. What goes wrong later costs variables.
    pub fn evaluate_all(
        &mut self,
        request: &Request,
        limits: &Limits,
        on: &mut dyn FnMut(Event),
    ) -> Result<Option<CutShort>> {
        let manifest = self.manifest().clone();
        let mut rounds = Rounds::new(request, &manifest, on);
        loop {
            let round = rounds.next();
            let broken = match self.evaluate(&round, limits, &mut |event| rounds.hear(event)) {
                Ok(End::Finished) => return Ok(None),
                Ok(End::Broken(broken)) => broken,
                Err(why) if rounds.is_first() => return Err(why),
                Err(why) => Broken::without_turn(Cause::NoOther(why.to_string()), &round.names),
            };
            if let Some(cut_short) = rounds.take_stock(broken) {
                return Ok(Some(cut_short));
            }
            if rounds.is_done() {
                return Ok(None);
            }
            if let Err(why) = self.restart(limits) {
                return Ok(Some(rounds.give_up(&Cause::NoOther(why.to_string()))));
            }
        }
    }
}

/// What became of a variable, as far as a new worker has to know.
enum Turn {
    /// It has a value, or an object for others, that went with its worker.
    Held,
    /// There is nothing.
    Nothing,
    /// It failed.
    Failed(Failure),
}

struct Rounds<'a> {
    request: &'a Request,
    manifest: &'a Manifest,
    on: &'a mut dyn FnMut(Event),
    turns: BTreeMap<String, Turn>,
    /// Those of the present round that had their turn in an earlier one.
    again: BTreeSet<String>,
    rounds: usize,
    /// How many waited for their turn when the present round began.
    waited: usize,
}

impl<'a> Rounds<'a> {
    fn new(request: &'a Request, manifest: &'a Manifest, on: &'a mut dyn FnMut(Event)) -> Self {
        Self {
            request,
            manifest,
            on,
            turns: BTreeMap::new(),
            again: BTreeSet::new(),
            rounds: 0,
            waited: 0,
        }
    }

    fn is_first(&self) -> bool {
        self.rounds == 1
    }

    /// What a new worker is asked for.
    fn next(&mut self) -> Request {
        self.rounds += 1;
        let waiting = self.waiting();
        self.waited = waiting.len();
        let waiting_names = waiting.iter().map(String::as_str);
        let needed = with_dependencies(self.manifest, waiting_names, &|_| false);
        let fresh: BTreeSet<&String> = waiting.iter().collect();
        let is_asked = |name: &&String| {
            fresh.contains(name) || needed.contains(name.as_str()) && self.is_repeated(name)
        };
        let names: Vec<String> = self
            .request
            .names
            .iter()
            .filter(is_asked)
            .cloned()
            .collect();
        let is_again = |name: &&String| !fresh.contains(name) || self.request.again.contains(name);
        self.again = names.iter().filter(is_again).cloned().collect();
        Request {
            names,
            again: self.again.iter().cloned().collect(),
            lost: self.lost(),
            workers: if self.is_first() {
                self.request.workers
            } else {
                1
            },
            ..self.request.clone()
        }
    }

    /// The selected variables that had no turn and are to have one, in order.
    fn waiting(&self) -> Vec<String> {
        let given = self.request.given.as_ref();
        let is_given = |name| given.is_some_and(|given| given.names.contains(name));
        let names = self.request.selected.iter();
        names
            .filter(|name| !self.turns.contains_key(*name) && !is_given(name))
            .cloned()
            .collect()
    }

    fn is_repeated(&self, name: &str) -> bool {
        match self.turns.get(name) {
            Some(Turn::Held) => true,
            Some(Turn::Failed(failure)) => failure.class == DEPENDENCY_ERROR,
            Some(Turn::Nothing) | None => false,
        }
    }

    fn lost(&self) -> Vec<(String, Failure)> {
        let failures = self.turns.iter().filter_map(|(name, turn)| match turn {
            Turn::Failed(failure) if failure.class != DEPENDENCY_ERROR => {
                Some((name.clone(), failure.clone()))
            }
            _ => None,
        });
        failures.collect()
    }

    fn is_done(&self) -> bool {
        self.waiting().is_empty()
    }

    /// Notes an event, and passes on what is news.
    fn hear(&mut self, event: Event) {
        let is_known = match event.name() {
            Some(name) => self.again.contains(name),
            None => self.rounds > 1,
        };
        match &event {
            Event::StartTime(_) | Event::Started(_) => {}
            Event::Outcome { name, outcome, .. } => {
                self.turns.insert(name.clone(), turn(outcome));
            }
            Event::NoValue {
                name,
                held,
                failure,
            } => {
                let turn = silent_turn(*held, failure.clone());
                self.turns.insert(name.clone(), turn);
            }
        }
        if !is_known {
            (self.on)(event);
        }
    }

    /// After a worker has broken off: the culprit gets the reason. Where no other worker could do better, so do
    /// all that are left.
    fn take_stock(&mut self, broken: Broken) -> Option<CutShort> {
        // What ran side by side has its turns one by one in the next round.
        let was_parallel = self.rounds == 1 && self.request.workers > 1;
        let had_turns =
            was_parallel || broken.running.is_some() || self.waiting().len() < self.waited;
        // Another job may do better with the last variable, too.
        let is_cut_short = broken.running.is_some() && !broken.cause.allows_another();
        if let Some(name) = broken.running {
            self.lose(name, broken.cause.while_running());
        }
        let goes_on = broken.cause.allows_another() && had_turns;
        let left = self.waiting().len();
        if goes_on && left > 0 {
            tracing::info!("going on in a new Python; variables that are left: {left}");
        }
        (is_cut_short || !goes_on && !self.is_done()).then(|| self.give_up(&broken.cause))
    }

    fn give_up(&mut self, cause: &Cause) -> CutShort {
        for name in self.waiting() {
            self.lose(name, cause.before_turn());
        }
        CutShort {
            why: cause.to_string(),
            stopped: *cause == Cause::Stopped,
        }
    }

    fn lose(&mut self, name: String, failure: Failure) {
        tracing::error!("{name}: {}", failure.message);
        let is_transient = self.manifest.variable(&name).is_some_and(|v| v.transient);
        self.hear(Event::lost(name, failure, is_transient));
    }
}

fn turn(outcome: &Outcome) -> Turn {
    match outcome {
        Outcome::Cell(_) => Turn::Held,
        Outcome::Failed(failure) => Turn::Failed(failure.clone()),
    }
}

fn silent_turn(held: bool, failure: Option<Failure>) -> Turn {
    match (held, failure) {
        (_, Some(failure)) => Turn::Failed(failure),
        (true, None) => Turn::Held,
        (false, None) => Turn::Nothing,
    }
}
