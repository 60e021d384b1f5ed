//! Jobs in Slurm: the ordinary one, and the one for the cluster variables that follows from it.

use std::io::Write;
use std::process::Stdio;

use runledger_tests::{OnSlurm, Slurm, eventually, needs_sandbox};

use crate::stage::{ALL, Stage};

#[test]
fn both_jobs_of_a_run_are_in_a_sandbox() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let Some(slurm) = Slurm::start() else {
        return;
    };
    let stage = Stage::of(&ALL, "");
    stage.context(&[
        ("base", "return 3"),
        ("barred", "return int(not os.path.exists(OUTSIDE))"),
    ]);
    let site = stage.site;
    let context = site.db().join("context.py");
    let mut text = std::fs::read_to_string(&context).unwrap();
    text += "\n@Variable(cluster=True)\ndef later(run, base: 'var#base'):\n    return base * (not os.path.exists(OUTSIDE))\n";
    std::fs::write(context, text).unwrap();
    site.open_runs_without_data(&site.db());
    site.watch_from(&site.listener());
    let on = OnSlurm::new(&slurm, site, "");
    let mut listen = on
        .site
        .command(&on.site.listener(), &["listen", "--test", "."]);
    let mut listener = listen
        .envs(slurm.environment())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut hand = listener.stdin.take().unwrap();
    writeln!(hand, "1234 7 raw").unwrap();
    let value = |name: &str| {
        on.site.number(&format!(
            "SELECT value FROM run_variables WHERE name='{name}'"
        ))
    };
    let explain = || format!("{:#?}\n{}", on.jobs(), on.site.run_log(7));
    eventually("the second job's result", explain, || {
        value("later").is_some()
    });
    assert_eq!(
        ["base", "barred", "later"].map(value),
        [3.0, 1.0, 3.0].map(Some)
    );
    let _ = listener.kill();
    let _ = listener.wait();
}
