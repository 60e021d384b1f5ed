//! A facility that is not the European XFEL: other messages, other folders, other files, by configuration alone.

use runledger_tests::{Finished, Site, eventually, python};

const CONFIGURATION: &str = include_str!("../../deploy/facility/runledger.toml");
const OPENER: &str = include_str!("../../deploy/facility/solstice.py");
const TOPIC: &str = "solstice.scans";

const CONTEXT: &str = "
from damnit_ctx import Variable

@Variable(title='Brightest')
def brightest(scan):
    return scan['frames'].max()

@Variable(title='Corrected', data='proc')
def corrected(scan):
    return scan['frames'].min()
";

/// The example as it is shipped, with this machine's broker, folders and Python in it.
fn solstice() -> Site {
    let site = Site::with_broker();
    site.write("runledger.toml", CONFIGURATION);
    let broker = &site.broker_address;
    site.configure("messages.solstice.example:9092", broker);
    site.configure("start_from = \"now\"", "start_from = \"earliest\"");
    site.configure(
        "/data/visits\"",
        &format!("{}\"", site.data_root().display()),
    );
    site.configure("/opt/solstice/bin/python", &python().display().to_string());
    site
}

/// A scan whose frames are these numbers.
fn write_frames(site: &Site, folder: &str, frames: &str) {
    let dir = site
        .data_root()
        .join("2026/visit-77/scans/0012")
        .join(folder);
    let code = format!(
        "import os, numpy; os.makedirs({dir:?}); numpy.save({dir:?} + '/frames.npy', numpy.array({frames}))"
    );
    let mut make = std::process::Command::new(python());
    Finished::of(make.args(["-c", &code])).succeeded();
}

#[test]
fn a_scan_of_another_facility_becomes_a_job_and_a_row() {
    let site = solstice();
    write_frames(&site, "", "[3.0, 9.0]");
    Finished::of(&mut site.command(&site.listener(), &["config", "check"])).succeeded();
    site.write("context.py", CONTEXT);
    let context = site.path("context.py");
    let mut init = site.command(&site.listener(), &["init", "77", "--context"]);
    Finished::of(init.arg(context)).succeeded();
    let database = site.data_root().join("2026/visit-77/analysis/runledger");
    std::fs::write(database.join("solstice.py"), OPENER).expect("the opener");
    let dynamic = ["listener", "config", "static-mode", "0"];
    Finished::of(&mut site.command(&site.listener(), &dynamic)).succeeded();

    let (combiner, listener) = (
        site.service(&["combiner", "run"]),
        site.service(&["listen", "."]),
    );
    let why = || format!("{}\n{}", listener.said(), combiner.said());
    let value = |name: &str| -> Option<f64> {
        let table = rusqlite::Connection::open(database.join("runs.sqlite")).ok()?;
        let sql = "SELECT value FROM run_variables WHERE proposal=77 AND run=12 AND name=?1";
        table.query_row(sql, [name], |row| row.get(0)).ok()
    };
    site.notify_on(TOPIC, r#"{"what": "beam-lost", "beamline": "BL3"}"#);
    site.notify_on(
        TOPIC,
        r#"{"what": "scan-closed", "visit": "77", "scan": 12, "beamline": "BL3"}"#,
    );
    eventually("the scan is in the table", why, || {
        value("brightest") == Some(9.0)
    });
    assert_eq!(value("corrected"), None);
    write_frames(&site, "reduced", "[1.0, 5.0]");
    site.notify_on(
        TOPIC,
        r#"{"what": "scan-reduced", "visit": 77, "scan": "0012"}"#,
    );
    eventually("its reduced data too", why, || {
        value("corrected") == Some(1.0)
    });

    let mut again = site.command(&database, &["reprocess", "12", "13", "--direct"]);
    let again = Finished::of(&mut again).succeeded();
    let skipped = again.stderr.contains("p77 r13") && !again.stderr.contains("r12");
    assert!(skipped, "{}", again.stderr);
}
