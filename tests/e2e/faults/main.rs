//! Listener, combiner, jobs, broker and Slurm's controller are killed at random instants, over and over; and then the books are checked.
//!
//! `RUNLEDGER_TEST_FAULTS` is the number of rounds; `./x soak` has many.

mod at_work;
mod books;
mod clients;
mod evaluations;
mod results;
mod stage;

use std::process::Command;
use std::time::{Duration, Instant};

use at_work::jobs_in;
use books::Books;
use clients::Clients;
use results::{in_table, left_over, wrong_results};
use runledger_tests::{Kafka, Service, Site, Slurm, python, script};
use stage::{Stage, random};

const FEW_ROUNDS: u32 = 5;
/// So many runs arrive in each round.
const RUNS: u32 = 2;
/// The longest time from a round's first run to its blow.
const LATEST_BLOW_MS: u64 = 1500;

const CONTEXT: &str = include_str!("context.py");

fn rounds() -> u32 {
    let named = std::env::var("RUNLEDGER_TEST_FAULTS");
    named.map_or(FEW_ROUNDS, |rounds| rounds.parse().expect("a number"))
}

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
    let mut stage = Stage::set(site, kafka, slurm);
    kill_and_kill(&mut stage);
    let begun = Instant::now();
    let books = check_the_books(&stage, rounds() * RUNS);
    assert_eq!(reader.stop(), Some(0), "{}", reader.said());
    println!(
        "{} runs finished, {} did not because their jobs were killed (of {}), {} evaluations were begun again; {}; \
         the last rest took {:.1} s",
        books.finished().len(),
        books.failed().len(),
        stage.killed_jobs.len(),
        books.repeated(),
        reader.said().trim(),
        begun.elapsed().as_secs_f64(),
    );
}

fn kill_and_kill(stage: &mut Stage<'_>) {
    let begun = Instant::now();
    for round in 0..rounds() {
        let mut announcer = stage.announce(RUNS);
        std::thread::sleep(Duration::from_millis(random(LATEST_BLOW_MS)));
        let victim = stage.strike();
        assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
        println!(
            "{:6.1} s, round {round}: {victim:?}",
            begun.elapsed().as_secs_f64()
        );
    }
}

/// Waits until all is over; then nothing may be missing, twice, or left.
fn check_the_books(stage: &Stage<'_>, runs: u32) -> Books {
    let site = stage.site;
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
        let told = clients.told();
        finished.keys().all(|run| told.contains(run))
    });
    assert!(jobs_in(&site.db()).is_empty(), "{}", stage.explain());
    books
}
