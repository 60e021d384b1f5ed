//! DAMNIT's own window is open while a run is processed: it waits, it is at work, its values are there.

use std::process::Command;

use runledger_tests::{
    Finished, OnSlurm, Service, Site, Slurm, WAITING, eventually, needs_window, python, script,
};
use serde_json::Value;

/// Slurm lets jobs wait until they are released.
const HELD: &str = "shared_options = [\"--hold\"]\n";

/// What the window showed last of a run: `header`, `tip` and `cells`.
fn shown(window: &Service, run: u32) -> Option<Value> {
    let said = window.said();
    let mut lines = said
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["run"] == run)
}

fn header(window: &Service) -> Option<String> {
    Some(shown(window, 7)?["header"].as_str()?.to_owned())
}

/// What Slurm calls the only job that it has.
fn in_line(slurm: &Slurm) -> Option<String> {
    let query = ["--clusters=solaris", "--noheader", "--format=%i"];
    let said = Finished::of(&mut slurm.command("squeue", &query)).succeeded();
    said.stdout.split_whitespace().next().map(str::to_owned)
}

#[test]
fn an_open_window_shows_dots_then_a_gear_then_the_values() {
    let Some(slurm) = Slurm::start() else { return };
    if !needs_window() {
        return;
    }
    let on = OnSlurm::new(&slurm, Site::with_broker().watching(WAITING), HELD);
    let site = &on.site;
    std::fs::write(site.db().join("wait"), "").expect("a file");
    let listener = on.listener();
    let combiner = site.service(&["combiner", "run"]);
    let mut open = Command::new(python());
    open.arg(script("window.py"))
        .arg(site.db())
        .env("HOME", site.path(""))
        .env("AMORE_BROKER", &site.broker_address);
    let window = Service::start(&mut open, &site.path("window.log"));
    let why = || {
        [&window, &listener, &combiner]
            .map(Service::said)
            .join("\n---\n")
    };
    eventually("the window is open", why, || {
        window.said().contains("ready")
    });

    site.announce("migration_complete", 7);
    eventually("dots", why, || header(&window).as_deref() == Some("7 ⋮"));
    let id = in_line(&slurm).expect("a job");
    Finished::of(&mut slurm.command("scontrol", &["--clusters=solaris", "release", &id]))
        .succeeded();
    eventually("a gear", why, || header(&window).as_deref() == Some("7 ⚙️"));
    let tip = shown(&window, 7).expect("the run")["tip"].to_string();
    assert!(tip.contains(&format!("Slurm job {id}")), "{tip}");
    std::fs::remove_file(site.db().join("wait")).expect("a file");
    eventually("neither", why, || header(&window).as_deref() == Some("7"));
    eventually("the value", why, || {
        shown(&window, 7).is_some_and(|run| run["cells"]["Energy"] == "10.5000")
    });
}
