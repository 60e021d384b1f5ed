//! `demo`: the main job at work on this machine, on made-up runs in real run files, with a broker of its own.

mod announcer;
mod screen;
mod services;
mod stage;

use std::time::{Duration, Instant};

use runledger_listener::ledger::{Ledger, State};
use runledger_storage::Database;
use runledger_storage::fragment;

use crate::arguments::Demo;
use crate::failure::{Failure, Result};
use announcer::Announcer;
use screen::Screen;
use services::Services;
use stage::Stage;

/// How often the screen is drawn anew.
const FRAME: Duration = Duration::from_millis(250);
/// Far longer than it takes.
const AT_MOST: Duration = Duration::from_secs(300);

/// Runs the demo.
pub(super) fn run(demo: &Demo) -> Result {
    let stage = Stage::set(demo)?;
    println!(
        "Made {} runs of proposal {} in {}",
        stage.runs.len(),
        stage.proposal.0,
        stage.data().display()
    );
    println!(
        "The broker is at {}; any Kafka client can join in.\n",
        stage.broker.address()
    );
    let mut services = Services::start(&stage)?;
    let mut announcer = Announcer::of(&stage)?;
    let mut screen = Screen::new(&stage);
    let began = Instant::now();
    while !(announcer.is_done() && is_settled(&stage)?) {
        announcer.advance()?;
        services.check()?;
        screen.draw(&announcer)?;
        if began.elapsed() > AT_MOST {
            return Err(
                Failure::new("the demo did not come to its end").hint(stage.where_logs_are())
            );
        }
        std::thread::sleep(FRAME);
    }
    screen.finish(&announcer)?;
    println!("\nDone in {:.0} s.\n", began.elapsed().as_secs_f64());
    stage.tell_what_was_made();
    services.stop();
    stage.leave();
    Ok(())
}

/// Whether every job has ended and every result is in the table.
fn is_settled(stage: &Stage) -> Result<bool> {
    let db = Database::open(&stage.db())?;
    let jobs = Ledger::open(db.dir())?.jobs()?;
    let all =
        jobs.len() == stage.notifications() && jobs.iter().all(|entry| entry.state.is_final());
    if let Some(entry) = jobs
        .iter()
        .find(|entry| entry.state.is_final() && entry.state != State::Finished)
    {
        let why = entry.message.clone().unwrap_or_default();
        return Err(
            Failure::new(format!("the job of {} failed: {why}", entry.job.run))
                .hint(stage.where_logs_are()),
        );
    }
    Ok(all && fragment::ready_fragments(db.dir(), None)?.is_empty())
}
