//! Listener, combiner, jobs, broker and Slurm's controller are killed at random instants, over and over; and then the books are checked.
//!
//! `./x soak` does it for minutes (`RUNLEDGER_SOAK_MINUTES`), and tells what it came to in one line.

mod at_work;
mod books;
mod evaluations;
mod length;
mod outcome;
mod results;
mod stage;

use std::process::Command;
use std::time::{Duration, Instant};

use at_work::jobs_in;
use books::Books;
use length::Length;
use outcome::{Ageing, Outcome};
use results::{in_table, left_over, wrong_results};
use runledger_tests::{Clients, Kafka, Service, Site, Slurm, python, script};
use stage::{Stage, random};

/// The longest time from a round's first run to its blow.
const LATEST_BLOW_MS: u64 = 1500;

const CONTEXT: &str = include_str!("context.py");

#[test]
fn whatever_is_killed_at_whatever_instant_nothing_is_lost_or_done_twice() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    kill_and_check(&site, &kafka, None);
}

#[test]
fn on_slurm_whatever_is_killed_at_whatever_instant_nothing_is_lost_or_done_twice() {
    let (Some(kafka), Some(slurm)) = (Kafka::start(&[]), Slurm::start()) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    site.configure("queue = \"local\"", "queue = \"slurm\"");
    site.configure(
        "[jobs]\n",
        "[slurm]\nevery = \"500ms\"\ngone_after = \"5s\"\n[jobs]\n",
    );
    kill_and_check(&site, &kafka, Some(&slurm));
}

fn kill_and_check(site: &Site, kafka: &Kafka, slurm: Option<&Slurm>) {
    let mut reading = Command::new(python());
    reading.arg(script("read_always.py")).arg(site.db());
    let mut reader = Service::start(&mut reading, &site.path("reader.log"));
    let begun = Instant::now();
    let mut stage = Stage::set(site, kafka, slurm);
    let length = Length::wanted();
    kill_until(&mut stage, |round| length.is_half_over(round, begun));
    // Who is killed every few rounds never grows old enough to leak: from here on, the services live.
    stage.spare_the_services();
    let warm = stage.rounds + length.warm_up();
    kill_until(&mut stage, |round| round >= warm);
    let young = stage.vitals_at_rest();
    kill_until(&mut stage, |round| length.is_over(round, begun));
    let ageing = Ageing::from_to(young, stage.vitals_at_rest());
    let books = check_the_books(&stage);
    assert_eq!(reader.stop(), Some(0), "{}", reader.said());
    let outcome = Outcome::of(
        &stage,
        &books,
        begun.elapsed(),
        ageing,
        reader.said().trim(),
    );
    println!("{outcome}");
    assert!(length.is_short() || !outcome.leaks(), "{outcome}");
}

fn kill_until(stage: &mut Stage<'_>, is_enough: impl Fn(u32) -> bool) {
    while !is_enough(stage.rounds) {
        let mut announcer = stage.announce();
        std::thread::sleep(Duration::from_millis(random(LATEST_BLOW_MS)));
        stage.strike();
        assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
    }
}

/// Waits until all is over; then nothing may be missing, twice, or left.
fn check_the_books(stage: &Stage<'_>) -> Books {
    let (site, runs) = (stage.site, stage.announced);
    stage.eventually("the end of each run's job is known", || {
        Books::of(stage).are_closed(runs)
    });
    let books = Books::of(stage);
    let wrong = books.wrong(runs);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", stage.explain());
    let finished = books.finished();
    stage.eventually("each result is in the table", || {
        let table = in_table(site);
        finished.keys().all(|run| table.contains_key(run))
    });
    stage.eventually("nothing is left over", || {
        left_over(site).iter().all(|name| books.explains(name))
    });
    let wrong = wrong_results(site, &finished);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", stage.explain());
    let clients = Clients::of(site);
    stage.eventually("each update was told", || {
        let told = clients.told().runs;
        finished.keys().all(|run| told.contains(run))
    });
    assert!(jobs_in(&site.db()).is_empty(), "{}", stage.explain());
    books
}
