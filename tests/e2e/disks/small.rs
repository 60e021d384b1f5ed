//! A disk that is really full, or really read-only, under listener, jobs and combiner at once.

use std::io::Write;
use std::path::Path;

use runledger_tests::{Mount, Service, Site, eventually};

use crate::{left_over, says, sum_in_file, value};

const CONTEXT: &str = "
import numpy as np
from damnit_ctx import Variable

@Variable()
def energy(run):
    return 1.5

@Variable(summary='sum')
def trace(run):
    return np.ones(400_000)
";

/// Writes into a folder until nothing more is taken.
fn fill(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("filler");
    let mut file = std::fs::File::create(&path).expect("a file");
    for length in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![1; length]).is_ok() {}
    }
    path
}

fn services(site: &Site) -> [Service; 2] {
    [
        site.service(&["listen", "."]),
        site.service(&["combiner", "run"]),
    ]
}

fn said(services: &[Service; 2]) -> String {
    services.each_ref().map(Service::said).join("\n---\n")
}

#[test]
fn on_a_disk_that_was_full_everything_goes_on_by_itself_when_there_is_room() {
    let site = Site::with_broker();
    std::fs::create_dir(site.db()).expect("a mount point");
    let Some(_disk) = Mount::small(&site.db(), "64m") else {
        return;
    };
    let site = site.watching(CONTEXT);
    let services = services(&site);
    let said = || format!("{}\n{}", said(&services), site.run_log(2));
    site.announce("migration_complete", 1);
    eventually("its value", said, || value(&site, 1, "energy") == Some(1.5));
    let filler = fill(&site.db());
    for run in 2..=4 {
        site.announce("migration_complete", run);
    }
    eventually("it is told", said, || {
        said().contains("waits for its next try") || said().contains("jobs wait")
    });
    std::fs::remove_file(filler).expect("room");
    eventually("all values", said, || {
        (2..=4).all(|run| value(&site, run, "energy") == Some(1.5))
    });
    for run in 1..=4 {
        assert_eq!(sum_in_file(&site, run, "trace"), Some(400_000.0), "{run}");
    }
    eventually("nothing is left", said, || left_over(&site).is_empty());
}

#[test]
fn a_job_that_finds_no_room_for_its_results_is_tried_again_and_says_why() {
    let site = Site::with_broker().watching(CONTEXT);
    let results = site.db().join("extracted_data");
    std::fs::create_dir_all(&results).expect("a mount point");
    let Some(disk) = Mount::small(&results, "1m") else {
        return;
    };
    let services = services(&site);
    let said = || format!("{}\n{}", said(&services), site.run_log(1));
    site.announce("migration_complete", 1);
    says(&services[0], "the job is tried again");
    assert!(services[0].said().contains("No space left"), "{}", said());
    assert_eq!(left_over(&site), [""; 0]);
    disk.resize("64m");
    eventually("its value", said, || value(&site, 1, "energy") == Some(1.5));
    assert_eq!(sum_in_file(&site, 1, "trace"), Some(400_000.0));
}

#[test]
fn what_comes_while_a_database_is_read_only_waits_until_it_is_not() {
    let site = Site::with_broker().watching(CONTEXT);
    let services = services(&site);
    says(&services[0], "ready");
    let Some(read_only) = Mount::read_only(&site.db()) else {
        return;
    };
    site.announce("migration_complete", 1);
    says(&services[0], "read-only");
    assert_eq!(site.number("SELECT count(*) FROM run_info"), Some(0.0));
    drop(read_only);
    let said = || format!("{}\n{}", said(&services), site.run_log(1));
    eventually("its value", said, || value(&site, 1, "energy") == Some(1.5));
}

#[test]
fn reprocess_on_a_full_disk_says_so_and_does_it_when_there_is_room() {
    let site = Site::quiet();
    std::fs::create_dir(site.db()).expect("a mount point");
    let Some(_disk) = Mount::small(&site.db(), "64m") else {
        return;
    };
    site.init(CONTEXT);
    let direct = |run| site.run(&["reprocess", run, "--direct", "--mock"]);
    direct("6").succeeded();
    let filler = fill(&site.db());
    let refused = direct("7");
    assert_ne!(refused.code, Some(0), "{refused:#?}");
    for words in ["ledger.sqlite", "No space left on device", "make room"] {
        assert!(refused.stderr.contains(words), "{words}: {refused:#?}");
    }
    std::fs::remove_file(filler).expect("room");
    direct("7").succeeded();
    assert_eq!(sum_in_file(&site, 7, "trace"), Some(400_000.0));
    assert_eq!(left_over(&site), [""; 0]);
}

#[test]
fn what_is_known_of_jobs_is_shown_on_a_full_disk() {
    let site = Site::quiet();
    std::fs::create_dir(site.db()).expect("a mount point");
    let Some(_disk) = Mount::small(&site.db(), "64m") else {
        return;
    };
    site.init(CONTEXT);
    site.run(&["reprocess", "6", "--direct", "--mock"])
        .succeeded();
    fill(&site.db());
    let jobs = site.run(&["jobs"]).succeeded();
    assert!(jobs.stdout.contains("1 finished"), "{jobs:#?}");
    assert!(jobs.stderr.contains("No space left on device"), "{jobs:#?}");
    let one = site.run(&["jobs", "show", "--run", "6"]).succeeded();
    assert!(one.stdout.contains("finished"), "{one:#?}");
    let log = site.run(&["jobs", "log", "--run", "6"]).succeeded();
    assert!(log.stdout.contains("Evaluating trace"), "{log:#?}");
}
