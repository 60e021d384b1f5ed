//! Results that users' own code hands in: from a notebook, from within a job, and with the real package `damnit`.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

use runledger_tests::{Finished, Site, eventually, python, runledger, script};

/// A Python program of the tests, as a notebook: it finds our Pipeline and the binary.
fn notebook(site: &Site, program: &str, arguments: &[&str]) -> Command {
    let home = site.path("");
    let path = Finished::of(&mut site.command(&home, &["python-path"])).succeeded();
    let mut command = Command::new(python());
    command
        .arg(script(program))
        .args(arguments)
        .current_dir(&home)
        .env("PYTHONPATH", path.stdout.trim_end())
        .env("PATH", path_with_binary())
        .env("RUNLEDGER_CONFIG", site.path("runledger.toml"))
        .env("AMORE_BROKER", &site.broker_address);
    command
}

fn path_with_binary() -> std::ffi::OsString {
    let binary = runledger();
    let folder = binary.parent().expect("the binary is in a folder");
    let known = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&known));
    std::env::join_paths(folders).expect("a path")
}

/// One cell of a run: its value, and its attributes.
fn cell(site: &Site, run: u32, name: &str) -> (Option<f64>, Option<String>) {
    let of = |column: &str| {
        format!("SELECT {column} FROM run_variables WHERE run={run} AND name='{name}'")
    };
    (
        site.number(&of("value")),
        site.text(&of("coalesce(attributes, '')")),
    )
}

fn fragments_of(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.db().join("extracted_data"));
    let names = entries.into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".writing.h5") || name.ends_with(".ready.h5"))
        .collect()
}

const NO_VARIABLES: &str = "";

#[test]
fn results_of_a_notebook_are_saved_in_the_table_and_the_runs_file() {
    let site = Site::quiet();
    site.init(NO_VARIABLES);
    let db = site.db();
    let folder = db.to_str().expect("a path in UTF-8");
    let said = Finished::of(&mut notebook(&site, "notebook.py", &[folder, "1234", "7"]));
    let said = said.succeeded();
    assert!(
        said.stdout.contains("extracted_data/p1234_r7.") && said.stdout.ends_with(".ready.h5\n"),
        "{said:?}"
    );
    assert_eq!(cell(&site, 7, "area").0, Some(6.25));
    assert!(
        cell(&site, 7, "width")
            .1
            .is_some_and(|text| text.contains("mm"))
    );
    let (_, error) = cell(&site, 7, "height");
    assert!(error.is_some_and(|error| error.contains("nothing to see") && error.contains("Skip")));
    let provenance = "SELECT provenance FROM run_variables WHERE name='area'";
    assert_eq!(site.text(provenance).as_deref(), Some("context.py"));
    assert!(site.number("SELECT start_time FROM run_info WHERE run=7") > Some(1.0e9));
    assert!(db.join("extracted_data/p1234_r7.h5").is_file());
    assert_eq!(fragments_of(&site), [""; 0]);
}

#[test]
fn with_a_broker_the_combiner_merges_what_a_notebook_saves() {
    let site = Site::with_broker();
    site.init(NO_VARIABLES);
    let combiner = site.service(&["combiner", "run"]);
    let db = site.db();
    let folder = db.to_str().expect("a path in UTF-8");
    Finished::of(&mut notebook(&site, "notebook.py", &[folder, "1234", "7"])).succeeded();
    eventually(
        "the combiner merges it",
        || combiner.said(),
        || cell(&site, 7, "area").0 == Some(6.25),
    );
}

#[test]
fn the_real_packages_submit_goes_on_working_beside_our_pipeline() {
    let site = Site::quiet();
    site.init(NO_VARIABLES);
    let db = site.db();
    let folder = db.to_str().expect("a path in UTF-8");
    let arguments = [folder, "1234", "7", "damnit"];
    Finished::of(&mut notebook(&site, "notebook.py", &arguments)).succeeded();
    assert_eq!(cell(&site, 7, "area").0, Some(6.25));
    assert_eq!(cell(&site, 7, "submitted").0, Some(7.0));
    let provenance = "SELECT provenance FROM run_variables WHERE name='submitted'";
    assert_eq!(site.text(provenance).as_deref(), Some("fit"));
}

#[test]
fn what_the_real_package_submits_is_merged_by_our_combiner() {
    let site = Site::with_broker();
    site.init(NO_VARIABLES);
    let combiner = site.service(&["combiner", "run"]);
    let db = site.db();
    let arguments = [db.as_os_str(), OsStr::new("1234"), OsStr::new("7")];
    site.python("submit_result.py", &arguments).succeeded();
    eventually(
        "the combiner merges it",
        || combiner.said(),
        || cell(&site, 7, "fit_width").0 == Some(2.5),
    );
    assert!(
        cell(&site, 7, "fit_width")
            .1
            .is_some_and(|text| text.contains("mm"))
    );
    let (_, error) = cell(&site, 7, "fit_depth");
    assert!(error.is_some_and(|error| error.contains("did not converge")));
    let provenance = "SELECT provenance FROM run_variables WHERE name='fit_width'";
    assert_eq!(site.text(provenance).as_deref(), Some("notebook"));
    eventually(
        "the fragment is removed",
        || combiner.said(),
        || fragments_of(&site).is_empty(),
    );
}

/// A job for run 7 whose variable saves results of run 8.
const SAVES: &str = r#"
import os
from damnit_ctx import Pipeline, Variable

@Variable(transient=True)
def other(run):
    return run

@Variable
def twice(run, number: "meta#run_number"):
    return number * 2

@Variable
def saved(run):
    results = Pipeline(1234, 8, data=run).add(twice).execute()
    return str(results.save(os.getcwd(), 1234, 8))
"#;

#[test]
fn results_that_a_job_saves_of_another_run_are_in_the_table_beside_its_own() {
    let site = Site::quiet();
    site.init(SAVES);
    site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"])
        .succeeded();
    assert_eq!(cell(&site, 7, "twice").0, Some(14.0));
    assert_eq!(cell(&site, 8, "twice").0, Some(16.0));
    let fragment = site.text("SELECT value FROM run_variables WHERE run=7 AND name='saved'");
    assert!(fragment.is_some_and(|path| path.contains("extracted_data/p1234_r8.")));
    assert_eq!(fragments_of(&site), [""; 0]);
}

#[test]
fn with_a_broker_the_combiner_merges_what_a_job_saves() {
    let site = Site::with_broker();
    site.init(SAVES);
    let combiner = site.service(&["combiner", "run"]);
    site.run(&["extract", "1234", "7", "all", "--mock"])
        .succeeded();
    eventually(
        "both fragments are merged",
        || combiner.said(),
        || cell(&site, 7, "twice").0 == Some(14.0) && cell(&site, 8, "twice").0 == Some(16.0),
    );
}

#[test]
fn a_process_that_a_job_has_forked_saves_with_the_binary() {
    let site = Site::quiet();
    site.init(
        r#"
import multiprocessing, os
from damnit_ctx import Cell, Variable, save_fragment

def save(number):
    return str(save_fragment(os.getcwd(), 1234, 8, {"forked": Cell(number)}, {}, provenance="pool"))

@Variable
def saved(run):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.map(save, [5])[0]
"#,
    );
    let arguments = ["extract", "1234", "7", "all", "--mock"];
    let mut job = site.command(&site.db(), &arguments);
    Finished::of(job.env("PATH", path_with_binary())).succeeded();
    assert_eq!(cell(&site, 8, "forked").0, Some(5.0));
}

#[test]
fn what_cannot_be_saved_says_so_where_it_was_asked_for() {
    let site = Site::quiet();
    site.init(&SAVES.replace("os.getcwd()", "'/proc'"));
    site.run(&["extract", "1234", "7", "all", "--mock"])
        .succeeded();
    assert_eq!(cell(&site, 7, "twice").0, Some(14.0));
    let (_, error) = cell(&site, 7, "saved");
    let error = error.expect("a reason");
    assert!(
        error.contains("NotSaved") && error.contains("/proc"),
        "{error}"
    );

    let home = site.path("");
    let folder = home.to_str().expect("a path in UTF-8");
    Finished::of(&mut notebook(&site, "notebook.py", &[folder, "1234", "7"]))
        .failed(1, &["NotSaved", folder]);
    let mut alone = notebook(&site, "notebook.py", &[folder, "1234", "7"]);
    Finished::of(alone.env("PATH", "/nonexistent")).failed(1, &["NotSaved", "not on PATH"]);
}

#[test]
fn results_that_break_off_leave_nothing_behind() {
    let site = Site::quiet();
    site.init(NO_VARIABLES);
    let header = serde_json::json!({"message": "submission", "protocol": 3, "database_dir": site.db(),
        "proposal": 1234, "run": 7, "provenance": "me", "buffers": []});
    let text = header.to_string();
    let length = u32::try_from(text.len())
        .expect("a short text")
        .to_le_bytes();
    let mut command = site.command(&site.db(), &["save-results"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(&[&length, text.as_bytes()].concat())
        .expect("it reads");
    drop(pipe);
    let finished = Finished::from(child.wait_with_output().expect("its end"));
    finished.failed(1, &["break off"]);
    assert_eq!(fragments_of(&site), [""; 0]);
    assert_eq!(site.number("SELECT count(*) FROM run_info"), Some(0.0));
}

#[test]
fn results_that_cannot_be_merged_yet_are_kept() {
    let site = Site::quiet();
    site.init(NO_VARIABLES);
    let results = site.db().join("extracted_data");
    std::fs::create_dir_all(results.join("p1234_r7.h5/in the way")).expect("a folder");
    let db = site.db();
    let folder = db.to_str().expect("a path in UTF-8");
    let said = Finished::of(&mut notebook(&site, "notebook.py", &[folder, "1234", "7"]));
    let said = said.succeeded();
    assert!(said.stderr.contains("waits to be merged"), "{said:?}");
    assert_eq!(fragments_of(&site).len(), 1);
    std::fs::remove_dir_all(results.join("p1234_r7.h5")).expect("it goes");
    site.run(&["combiner", "now", folder]).succeeded();
    assert_eq!(cell(&site, 7, "area").0, Some(6.25));
}

#[test]
fn the_folder_for_notebooks_stays_and_is_nobody_elses() {
    let site = Site::quiet();
    let home = site.path("");
    let ask = || Finished::of(&mut site.command(&home, &["python-path"])).succeeded();
    let folder = ask().stdout;
    assert_eq!(ask().stdout, folder);
    assert!(
        std::path::Path::new(folder.trim_end())
            .join("damnit_ctx.py")
            .is_file()
    );
    let mut elsewhere = site.command(&home, &["python-path"]);
    Finished::of(elsewhere.env("XDG_CACHE_HOME", "/proc"))
        .failed(1, &["/proc", "hint: ", "XDG_CACHE_HOME"]);
}
