//! A person calls a job off, or has it tried again, and is interrupted.

use runledger_listener::ledger::State;
use runledger_steps::Step;
use runledger_tests::Site;

use crate::books::{Books, RUN, in_table, jobs};
use crate::stop::{Stop, until};

const WAITING: &str = r#"
import os, time
from damnit_ctx import Variable

@Variable()
def energy(run):
    open("begun", "w").close()
    while os.path.exists("wait"):
        time.sleep(0.02)
    return 1.5

@Variable()
def charge(run, energy: "var#energy"):
    return 2 * energy
"#;

/// A site whose only job waits in its first variable.
fn with_a_job_that_waits() -> Site {
    let site = Site::with_broker().watching(WAITING);
    std::fs::write(site.db().join("wait"), "").expect("a file");
    site.announce("migration_complete", RUN);
    site
}

fn id_of_the_job(site: &Site) -> String {
    until("the job has begun", String::new, || {
        let is_so = site.db().join("begun").is_file() && jobs(site).len() == 1;
        is_so
            .then_some(())
            .ok_or_else(|| format!("{:#?}", jobs(site)))
    });
    jobs(site).remove(0).job.processing_id
}

/// The ledger says that nobody wants the job: the listener ends its process.
pub(crate) fn cancel(step: Step) {
    let site = with_a_job_that_waits();
    let books = Books::of(&site);
    let listener = site.service(&["listen", "."]);
    let id = id_of_the_job(&site);
    Stop::at(&site, step).run_in_db(&site, &["jobs", "cancel", &id, "--yes"]);
    // A combiner takes what the job had begun.
    let combiner = site.service(&["combiner", "run"]);
    books.close(false, || [listener.said(), combiner.said()].join("\n---\n"));
    books.have_one_job(&[State::Cancelled]);
    assert!(in_table(&site).is_empty());
}

/// The ledger says that the job is wanted again: the next listener sees to it.
pub(crate) fn retry(step: Step) {
    let site = with_a_job_that_waits();
    let books = Books::of(&site);
    let mut listener = site.service(&["listen", "."]);
    let id = id_of_the_job(&site);
    site.run(&["jobs", "cancel", &id, "--yes"]).succeeded();
    let combiner = site.service(&["combiner", "run"]);
    books.close(false, || listener.said());
    listener.stop();
    std::fs::remove_file(site.db().join("wait")).expect("a file");
    Stop::at(&site, step).run_in_db(&site, &["jobs", "retry", &id, "--yes"]);
    let listener = site.service(&["listen", "."]);
    books.close(true, || [listener.said(), combiner.said()].join("\n---\n"));
    books.have_one_job(&[State::Finished]);
    books.have_all_values();
}
