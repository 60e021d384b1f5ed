//! A listener is stopped on the way from a message to the end of its job.

use std::path::Path;

use runledger_listener::ledger::State;
use runledger_steps::Step;
use runledger_tests::{Finished, Service, Site};

use crate::books::{Books, CONTEXT, RUN, evaluated};
use crate::stop::Stop;

/// The second variable ends its job, once; when it is noted that it has begun, the first one is saved.
const KILLING: &str = r#"
import glob, os, signal, time
from damnit_ctx import Variable

@Variable()
def energy(run):
    return 1.5

@Variable()
def charge(run, energy: "var#energy"):
    if not os.path.exists("killed"):
        open("killed", "w").close()
        [fragment] = glob.glob("extracted_data/*.writing.h5")
        while b"charge" not in open(fragment, "rb").read():
            time.sleep(0.02)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return 2 * energy
"#;

/// A listener that was stopped and started again, and a combiner.
struct Play<'a> {
    site: &'a Site,
    books: Books<'a>,
    combiner: Service,
    listener: Service,
}

impl<'a> Play<'a> {
    fn of(site: &'a Site, step: Step, meanwhile: impl FnOnce()) -> Self {
        let (stop, books) = (Stop::at(site, step), Books::of(site));
        let mut listener = stop.service(site, &["listen", "."]);
        site.announce("migration_complete", RUN);
        let who = stop.wait(|| format!("{}\n{}", listener.said(), site.run_log(RUN)));
        assert!(who.contains(" listen "), "it was {who}");
        listener.end();
        meanwhile();
        Self {
            site,
            books,
            combiner: site.service(&["combiner", "run"]),
            listener: site.service(&["listen", "."]),
        }
    }

    fn close(&self) {
        self.books.close(true, || {
            let said = [self.listener.said(), self.combiner.said()].join("\n---\n");
            format!("{said}\n{}", self.site.run_log(RUN))
        });
    }

    /// The job has evaluated everything, once.
    fn is_done_once(&self) {
        self.close();
        self.books.have_one_job(&[State::Finished]);
        self.books.have_all_values();
        let once = [("charge".to_owned(), 1), ("energy".to_owned(), 1)].into();
        assert_eq!(evaluated(self.site), once);
    }
}

pub(crate) fn a_run(step: Step) {
    let site = Site::with_broker().watching(CONTEXT);
    Play::of(&site, step, || {}).is_done_once();
}

pub(crate) fn a_run_of_a_new_database(step: Step) {
    let site = Site::with_broker();
    let usual = "data/INST/202601/p001234/usr/Shared/amore";
    site.init_in(usual, "1234", CONTEXT);
    site.open_runs_without_data(&site.path(usual));
    std::os::unix::fs::symlink(site.path(usual), site.db()).expect("a link");
    let dynamic = ["listener", "config", "static-mode", "0"];
    Finished::of(&mut site.command(&site.listener(), &dynamic)).succeeded();
    Play::of(&site, step, || {}).is_done_once();
}

/// Who comes after does not know how the job ended, and has it done again, unless that is in the ledger.
pub(crate) fn a_killed_job(step: Step) {
    let site = Site::with_broker().watching(KILLING);
    let play = Play::of(&site, step, || {});
    play.close();
    play.books.have_one_job(&[State::Failed, State::Finished]);
    play.books.have_no_wrong_value(&["energy"]);
}

/// Where the run's log cannot be, the queue takes no job.
pub(crate) fn a_refused_job(step: Step) {
    let site = Site::with_broker().watching(CONTEXT);
    let logs = site.db().join("process_logs");
    let remove = |path: &Path| match path.is_dir() {
        true => std::fs::remove_dir_all(path).expect("no logs"),
        false => drop(std::fs::remove_file(path)),
    };
    remove(&logs);
    std::fs::write(&logs, "").expect("something in the way");
    Play::of(&site, step, || remove(&logs)).is_done_once();
}
