//! A job is stopped.

use std::process::Command;

use runledger_listener::ledger::State;
use runledger_steps::Step;
use runledger_tests::{Finished, Service, Site};

use crate::books::{Books, CONTEXT, RUN, evaluated, in_table, jobs};
use crate::stop::{Stop, names_in};

const SPLIT: &str = r#"
from damnit_ctx import Variable

@Variable()
def energy(run):
    return 1.5

@Variable(cluster=True)
def charge(run, energy: "var#energy"):
    return 2 * energy
"#;

/// What is complete when a step is reached is in the table whatever becomes of the job.
fn needed(step: Step) -> &'static [&'static str] {
    match step {
        Step::JobClaimed | Step::VariablesInTable | Step::FragmentBegun => &[],
        Step::ResultSaved => &["energy"],
        _ => &["energy", "charge"],
    }
}

/// Its listener sees that it was killed: it has failed, and what it had finished is kept.
pub(crate) fn watched(step: Step) {
    let site = Site::with_broker().watching(CONTEXT);
    let (stop, books) = (Stop::at(&site, step), Books::of(&site));
    let combiner = site.service(&["combiner", "run"]);
    let listener = stop.service(&site, &["listen", "."]);
    site.announce("migration_complete", RUN);
    let said = || [listener.said(), combiner.said(), site.run_log(RUN)].join("\n---\n");
    let who = stop.wait(said);
    assert!(who.contains(" extract "), "it was {who}");
    books.close(!needed(step).is_empty(), said);
    let state = match step {
        Step::JobEndInLedger => State::Finished,
        _ => State::Failed,
    };
    books.have_one_job(&[state]);
    books.have_no_wrong_value(needed(step));
    assert!(evaluated(&site).values().all(|times| *times == 1));
}

/// Nobody sees that it was killed, and a listener that starts later has it done again.
pub(crate) fn unseen(step: Step) {
    let site = Site::with_broker().watching(CONTEXT);
    let books = Books::of(&site);
    let arguments = ["extract", "1234", "7", "raw", "--update-vars"];
    Stop::at(&site, step).run_in_db(&site, &arguments);
    go_on(&site, &books);
    books.have_one_job(&[State::Finished]);
    books.have_all_values();
    assert!(evaluated(&site).values().all(|times| *times <= 2));
}

/// Listener and combiner do what is left.
fn go_on(site: &Site, books: &Books<'_>) {
    let services = ["listen .", "combiner run"].map(|words| {
        let words: Vec<&str> = words.split(' ').collect();
        site.service(&words)
    });
    let said = || services.each_ref().map(Service::said).join("\n---\n");
    books.close(true, || format!("{}\n{}", said(), site.run_log(RUN)));
}

/// `reprocess --direct` is killed: the job that it had begun is done, by itself or by a listener.
pub(crate) fn directly(step: Step) {
    let site = Site::with_broker().watching(CONTEXT);
    site.configure("[data]\n", "[data]\nrun = \"\"\n");
    let books = Books::of(&site);
    Stop::at(&site, step).run_in_db(&site, &["reprocess", "7", "--direct"]);
    go_on(&site, &books);
    books.have_one_job(&[State::Finished]);
    books.have_all_values();
}

/// As in Slurm, which puts a job that was killed back into its line.
fn in_slurm_job<'a>(command: &'a mut Command, restarts: &str) -> &'a mut Command {
    command
        .env("SLURM_JOB_ID", "77")
        .env("SLURM_CLUSTER_NAME", "solaris")
        .env("SLURM_RESTART_COUNT", restarts)
}

pub(crate) fn in_slurm(step: Step) {
    let site = Site::with_broker().watching(SPLIT);
    let books = Books::of(&site);
    let id = "11111111-2222-4333-8444-555555555555";
    let arguments = ["extract", "1234", "7", "raw", "--processing-id", id];
    let (stop, log) = (Stop::at(&site, step), site.path("extract.log"));
    let mut first = site.command(&site.db(), &arguments);
    let mut job = Service::start(stop.arm(in_slurm_job(&mut first, "0")), &log);
    let who = stop.wait(|| job.said());
    job.end();
    if !who.contains("--cluster-job") {
        let mut again = site.command(&site.db(), &arguments);
        again.args(["--attempt", "1"]);
        Finished::of(in_slurm_job(&mut again, "1")).succeeded();
    }
    go_on(&site, &books);
    let jobs = jobs(&site);
    assert_eq!(jobs.len(), 2, "{jobs:#?}");
    assert!(
        jobs.iter().all(|job| job.state == State::Finished),
        "{jobs:#?}"
    );
    books.have_all_values();
    assert_eq!(in_table(&site).len(), 2);
    // Values for a job that nobody planned stay for a month.
    let left = names_in(&site.db().join("handed_over")).len();
    assert_eq!(left, usize::from(step == Step::HandedOver));
}
