//! A job whose disk does not take its results: it says so, leaves nothing half-done, and is worth another try.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_tests::{FaultyDisk, Site, eventually};

use crate::{left_over, meets, run_on, service_on, sum_in_file, value};

const CONTEXT: &str = "
import numpy as np
from damnit_ctx import Variable

@Variable()
def energy(run):
    return 1.5

@Variable(summary='sum')
def trace(run):
    return np.ones(100_000)
";
const JOB: [&str; 6] = ["extract", "1234", "7", "all", "--mock", "--update-vars"];
/// Of sysexits.h: what is worth another try.
const TRY_AGAIN: i32 = 75;

#[test]
fn a_job_whose_results_are_not_taken_leaves_nothing_half_done_and_its_next_try_is_whole() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    for (fault, words) in [
        ("write ENOSPC 0 .writing.h5", "No space left"),
        ("write EDQUOT 0 .writing.h5", "quota"),
        ("write EIO 0 .writing.h5", "Input/output error"),
        ("open EROFS 0 .writing.h5", "Read-only"),
        ("sync EIO 0 p1234_r7.", "Input/output error"),
        ("name EDQUOT 0 .ready.h5", "quota"),
        ("write ENOSPC 0 ledger.sqlite", "ledger.sqlite"),
        ("write ENOSPC 0 runs.sqlite", "runs.sqlite"),
        ("write ENOSPC 0 runledger_runtime/", "cannot unpack"),
    ] {
        let site = Site::quiet();
        site.init(CONTEXT);
        disk.begin(&[fault]);
        let finished = run_on(&disk, &site, &JOB).failed(TRY_AGAIN, &[words]);
        assert!(!disk.met().is_empty(), "{fault}\n{finished:#?}");
        disk.end();
        let left = left_over(&site);
        let is_half = |name: &String| !name.ends_with(".ready.h5");
        assert!(!left.iter().any(is_half), "{fault}: {left:?}");
        run_on(&disk, &site, &JOB).succeeded();
        assert_eq!(value(&site, 7, "energy"), Some(1.5), "{fault}");
        assert_eq!(sum_in_file(&site, 7, "trace"), Some(100_000.0), "{fault}");
        assert_eq!(left_over(&site), [""; 0], "{fault}");
    }
}

#[test]
fn a_fragment_that_could_not_be_made_to_last_is_never_believed_whatever_is_said_of_it_later() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::quiet();
    site.init(CONTEXT);
    disk.begin(&["sync EIO 1 .writing.h5"]);
    run_on(&disk, &site, &JOB).failed(TRY_AGAIN, &["Input/output error"]);
    assert_eq!(disk.met().len(), 1);
    assert_eq!(left_over(&site), [""; 0]);
    let ledger = rusqlite::Connection::open(site.db().join("ledger.sqlite")).expect("the ledger");
    // It was started by hand: nobody would try it again.
    let sql = "SELECT message FROM jobs WHERE state = 'failed'";
    let message: String = ledger
        .query_row(sql, [], |row| row.get(0))
        .expect("its end");
    assert!(message.contains("Input/output error"), "{message}");
    // The disk says that all is well now.
    run_on(&disk, &site, &["combiner", "now", "."]).succeeded();
    assert_eq!(value(&site, 7, "trace"), None);
    run_on(&disk, &site, &JOB).succeeded();
    assert_eq!(sum_in_file(&site, 7, "trace"), Some(100_000.0));
}

#[test]
fn a_log_that_takes_nothing_more_stops_no_job() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::quiet();
    site.init(&CONTEXT.replace("    return 1.5", "    print('hello')\n    return 1.5"));
    let log = std::fs::File::options().write(true).open("/dev/full");
    let log = log.expect("a log that is full");
    let again = log.try_clone().expect("a log that is full");
    let mut job = site.command(&site.db(), &JOB);
    let status = disk.under(&mut job).stdout(log).stderr(again).status();
    assert!(status.expect("a job").success());
    assert_eq!(value(&site, 7, "energy"), Some(1.5));
}

const DYING: &str = "
import os, time
from damnit_ctx import Variable

@Variable()
def energy(run):
    return 1.5

@Variable()
def endless(run, energy: 'var#energy'):
    with open('job.pid.new', 'w') as file:
        file.write(str(os.getppid()))
    os.rename('job.pid.new', 'job.pid')
    time.sleep(600)
";

/// Whether the fragment of a job says that it is at this variable: what it had before is saved then.
fn has_begun(site: &Site, name: &str) -> bool {
    let entries = std::fs::read_dir(site.db().join("extracted_data"));
    let contents = entries.into_iter().flatten().flatten();
    let mut contents = contents.filter_map(|entry| std::fs::read(entry.path()).ok());
    contents.any(|bytes| {
        bytes
            .windows(name.len())
            .any(|part| part == name.as_bytes())
    })
}

#[test]
fn what_a_dead_job_had_finished_waits_for_the_disk_that_does_not_take_it() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    for fault in ["write ENOSPC 0 .salvaging", "sync EIO 2 .salvaging"] {
        let site = Site::with_broker().watching(DYING);
        let combiner = site.service(&["combiner", "run"]);
        let listener = service_on(&disk, &site, &["listen", "."]);
        disk.begin(&[fault]);
        site.announce("migration_complete", 7);
        let pid = site.db().join("job.pid");
        let has_saved = || pid.is_file() && has_begun(&site, "endless");
        eventually("its job", || listener.said(), has_saved);
        let pid = std::fs::read_to_string(pid).expect("its number");
        let job = Pid::from_raw(pid.parse().expect("a number"));
        kill(job, Signal::SIGKILL).expect("a job of ours");
        meets(&disk, 1, &listener);
        // It is asked for again and again, and nothing is lost meanwhile.
        let tries = disk.met().len();
        let said = || format!("{:?}\n{}\n{}", disk.met(), listener.said(), combiner.said());
        eventually("another try", said, || {
            disk.met().len() > tries || value(&site, 7, "energy").is_some()
        });
        disk.end();
        eventually("its value", said, || value(&site, 7, "energy") == Some(1.5));
        let error = site.error("endless").expect("why it has no value");
        assert_eq!(error.0, "JobDied");
        eventually("nothing is left", said, || left_over(&site).is_empty());
    }
}
