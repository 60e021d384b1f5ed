//! Every step of the way from a notification to a published value: the process is stopped there as by SIGKILL, started
//! again, and the books are checked.
//!
//! `RUNLEDGER_TEST_STEPS=offset-stored,file-renamed` takes only these.

mod books;
mod combining;
mod databases;
mod document;
mod evaluating;
mod listening;
mod notebook;
mod orders;
mod scenario;
mod source;
mod stop;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use databases::Models;
use runledger_steps::Step;
use scenario::{Scenario, scenarios};

/// They wait more than they compute.
const AT_ONCE: usize = 10;

fn wanted(step: Step) -> bool {
    let named = std::env::var("RUNLEDGER_TEST_STEPS").unwrap_or_default();
    named.is_empty() || named.split(',').any(|name| name == step.name())
}

#[test]
fn whoever_is_stopped_at_any_step_and_started_again_loses_nothing_and_does_nothing_twice() {
    let steps = Step::ALL.iter().copied().filter(|step| wanted(*step));
    let all = steps.flat_map(|step| {
        scenarios(step)
            .iter()
            .map(move |scenario| (step, *scenario))
    });
    let (left, failed) = (Mutex::new(all), Mutex::new(Vec::new()));
    let models = Models::default();
    let next = || left.lock().expect("no panic here").next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((step, scenario)) = next() {
                    if play(step, scenario, &models).is_err() {
                        let name = format!("{} ({scenario:?})", step.name());
                        failed.lock().expect("no panic here").push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic here");
    assert!(failed.is_empty(), "stopped at: {failed:#?}");
}

/// What goes wrong is told at once, and keeps nobody from the other steps.
fn play(step: Step, scenario: Scenario, models: &Models) -> std::thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| scenario.play(step, models)))
        .inspect_err(|_| eprintln!("that was {} ({scenario:?})", step.name()))
}
