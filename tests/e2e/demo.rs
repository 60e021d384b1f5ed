//! The demo does the whole job on real run files, twice at once.

use std::path::Path;
use std::process::Command;

use runledger_tests::{Finished, python, runledger};

fn demo(keep: &Path) -> Command {
    let mut command = Command::new(runledger());
    command
        .arg("demo")
        .arg("--python")
        .arg(python())
        .arg("--keep")
        .arg(keep);
    command
        .env_remove("RUNLEDGER_CONFIG")
        .env_remove("AMORE_BROKER");
    command
}

#[test]
fn two_demos_at_the_same_time_both_fill_their_tables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let places = [folder.path().join("a"), folder.path().join("b")];
    let both = std::thread::scope(|scope| {
        let running: Vec<_> = places
            .iter()
            .map(|keep| scope.spawn(|| Finished::of(&mut demo(keep))))
            .collect();
        running
            .into_iter()
            .map(|one| one.join().expect("the demo ran"))
            .collect::<Vec<_>>()
    });
    for (finished, keep) in both.into_iter().zip(&places) {
        let finished = finished.succeeded();
        assert!(
            finished.stdout.contains(" table ") && finished.stdout.contains(" reprocess all "),
            "{finished:#?}"
        );
        let db = walk(keep).expect("the demo's database is kept");
        let table = rusqlite::Connection::open(db).expect("the run table");
        let cells: i64 = table
            .query_row(
                "SELECT count(*) FROM run_variables WHERE value IS NOT NULL",
                [],
                |row| row.get(0),
            )
            .expect("the cells");
        assert!(cells >= 40, "only {cells} cells have a value");
        the_client_reads_everything(keep);
    }
}

/// Each result of each run, as the existing client sees it.
fn the_client_reads_everything(keep: &Path) {
    let db = walk(keep).expect("the demo's database is kept");
    let out = keep.join("facts.json");
    let mut client = Command::new(python());
    client
        .arg(runledger_tests::script("read_with_client.py"))
        .args([db.parent().expect("its folder"), &out]);
    Finished::of(&mut client).succeeded();
    let facts = std::fs::read_to_string(out).expect("the facts");
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("JSON");
    assert_eq!(facts["runs"].as_array().map(Vec::len), Some(5));
    let runs = facts["results"]["900123"].as_object().expect("the runs");
    let mut read = 0;
    for (name, variable) in runs
        .values()
        .flat_map(|run| run.as_object().expect("variables"))
    {
        assert!(variable["read"]["type"].is_string(), "{name}: {variable:#}");
        read += 1;
    }
    assert!(read >= 50, "only {read} results were read");
    assert_eq!(runs["1"]["mean_pulse_energy"]["units"], "μJ");
    assert_eq!(runs["3"]["injector_scan"]["read"]["type"], "DataArray");
    assert_eq!(runs["1"]["detector_image"]["summary"]["png"], true);
}

fn walk(dir: &Path) -> Option<std::path::PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .collect();
    let here = entries.iter().find(|p| p.ends_with("runs.sqlite")).cloned();
    here.or_else(|| entries.iter().filter(|p| p.is_dir()).find_map(|p| walk(p)))
}

#[test]
fn a_folder_that_is_there_already_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("mine"), "").expect("a file");
    Finished::of(&mut demo(folder.path())).failed(1, &["not empty"]);
}
