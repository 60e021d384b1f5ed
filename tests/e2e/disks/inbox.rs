//! The listener: what its disk, or a database's, does not take waits where it came from.

use runledger_tests::{FaultyDisk, Site, eventually};

use crate::{meets, says, service_on, value};

const CONTEXT: &str =
    "from damnit_ctx import Variable\n\n@Variable()\ndef energy(run):\n    return 1.5\n";

#[test]
fn a_notification_that_the_inbox_does_not_take_stays_in_kafka_until_it_does() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::with_broker().watching(CONTEXT);
    let mut listener = service_on(&disk, &site, &["listen", "."]);
    let _combiner = site.service(&["combiner", "run"]);
    says(&listener, "ready");
    let faults = [
        "write ENOSPC 0 listener.sqlite",
        "write EDQUOT 0 listener.sqlite",
        "write EROFS 0 listener.sqlite",
        "sync EIO 0 listener.sqlite",
    ];
    for (run, fault) in (1..).zip(faults) {
        disk.begin(&[fault]);
        site.announce("migration_complete", run);
        meets(&disk, 1, &listener);
        says(&listener, "everything waits");
        assert_eq!(site.run_log(run), "", "{fault}");
        if fault.starts_with("sync") {
            // What Kafka was not told, it tells again.
            listener.kill();
        }
        disk.end();
        if fault.starts_with("sync") {
            listener = service_on(&disk, &site, &["listen", "."]);
        }
        eventually(
            fault,
            || listener.said(),
            || value(&site, run, "energy") == Some(1.5),
        );
    }
}

#[test]
fn a_run_that_its_database_does_not_take_waits_and_other_proposals_go_on() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::with_broker().watching(CONTEXT);
    site.watch_another("other", "77", CONTEXT);
    let listener = service_on(&disk, &site, &["listen", "."]);
    let _combiner = site.service(&["combiner", "run"]);
    for (run, fault) in (1..).zip([
        "write ENOSPC 0 /other/runs.sqlite",
        "sync EIO 0 /other/runs.sqlite",
        "write EDQUOT 0 /other/ledger.sqlite",
        "open EROFS 0 /other/process_logs/",
    ]) {
        disk.begin(&[fault]);
        site.notify(&format!(
            r#"{{"event": "migration_complete", "proposal": 77, "run": {run}}}"#
        ));
        site.announce("migration_complete", run);
        meets(&disk, 1, &listener);
        let said = || format!("{:?}\n{}", disk.met(), listener.said());
        eventually("the other proposal goes on", said, || {
            value(&site, run, "energy") == Some(1.5)
        });
        disk.end();
        let of_other = || {
            let table = rusqlite::Connection::open(site.path("other/runs.sqlite")).ok()?;
            let sql = "SELECT value FROM run_variables WHERE run = ?1 AND name = 'energy'";
            table.query_row(sql, [run], |row| row.get(0)).ok()
        };
        eventually(fault, said, || of_other() == Some(1.5));
    }
}

#[test]
fn a_listener_whose_log_takes_nothing_more_goes_on() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::with_broker().watching(CONTEXT);
    // Of stderr, of its own log, and of the jobs.
    disk.begin(&["write ENOSPC 0 .log", "write ENOSPC 0 /process_logs/"]);
    let mut listener = service_on(&disk, &site, &["listen", "."]);
    let mut combiner = service_on(&disk, &site, &["combiner", "run"]);
    site.announce("migration_complete", 1);
    let said = || format!("{:?}", disk.met());
    eventually("its value", said, || value(&site, 1, "energy") == Some(1.5));
    assert!(disk.met().iter().any(|met| met.contains("listen.log")));
    assert_eq!((listener.stop(), combiner.stop()), (Some(0), Some(0)));
}

#[test]
fn on_a_slow_disk_all_takes_longer_and_nothing_is_lost() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::with_broker().watching(CONTEXT);
    disk.begin(&["sync slow 0 /", "name slow 0 /"]);
    let listener = service_on(&disk, &site, &["listen", "."]);
    let combiner = service_on(&disk, &site, &["combiner", "run"]);
    for run in 1..=3 {
        site.announce("migration_complete", run);
    }
    let said = || format!("{}\n{}", listener.said(), combiner.said());
    eventually("all values", said, || {
        (1..=3).all(|run| value(&site, run, "energy") == Some(1.5))
    });
    assert!(disk.met().len() > 20, "{:?}", disk.met());
}
