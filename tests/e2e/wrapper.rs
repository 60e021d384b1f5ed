//! A site's own sandbox, `sandbox_args` as in DAMNIT: a command that is given the proposal, `--`, and what to run.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use runledger_listener::ledger::{Ledger, State};
use runledger_tests::{Finished, OnSlurm, Site, Slurm, eventually, needs_sandbox};

const CONTEXT: &str = r#"
import os
from damnit_ctx import Variable

@Variable()
def wrapped(run):
    return os.environ.get("WRAPPED", "")

@Variable(cluster=True)
def wrapped_on_the_cluster(run):
    return os.environ.get("WRAPPED", "")
"#;

/// Writes down what it is told and runs the rest, with the first three descriptors and no others.
const WRAPPER: &str = r#"#!/bin/bash
printf '[%s]' "$@" >> "$(dirname "$0")/told"
echo >> "$(dirname "$0")/told"
[ "$1" = "--level=a b" ] && [ "$3" = -- ] || exit 3
export WRAPPED="$2"
shift 3
for fd in /proc/$$/fd/*; do
    fd=${fd##*/}
    [ "$fd" -gt 2 ] && [ "$fd" -lt 250 ] && eval "exec $fd>&-"
done
exec "$@"
"#;

/// A site with a wrapper in a folder whose name has a blank; and the words for it.
fn with_wrapper(script: &str) -> (Site, String) {
    let site = Site::quiet().watching(CONTEXT);
    std::fs::create_dir(site.path("a wrapper")).unwrap();
    site.write("a wrapper/run", script);
    let path = site.path("a wrapper/run");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let words = format!("'{}' '--level=a b'", path.display());
    (site, words)
}

fn told(site: &Site) -> String {
    std::fs::read_to_string(site.path("a wrapper/told")).unwrap_or_default()
}

fn text(site: &Site, name: &str, run: u32) -> Option<String> {
    site.text(&format!(
        "SELECT value FROM run_variables WHERE name='{name}' AND run={run}"
    ))
}

/// Sets a listener's setting.
fn set(site: &Site, words: &str) {
    let mut command = site.command(
        &site.listener(),
        &["listener", "config", "sandbox-args", words],
    );
    Finished::of(&mut command).succeeded();
}

/// Hands one run to a listener, which ends when its job has.
fn listened(site: &Site, run: u32) -> String {
    let mut listen = site.command(&site.listener(), &["listen", "--test", "."]);
    let mut child = listen
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write;
    writeln!(child.stdin.take().unwrap(), "1234 {run} raw").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_job_of_the_listener_is_in_the_wrapper_that_its_settings_name() {
    let (site, words) = with_wrapper(WRAPPER);
    set(&site, &words);
    let said = listened(&site, 7);
    let log = site.run_log(7);
    assert_eq!(
        text(&site, "wrapped", 7).as_deref(),
        Some("1234"),
        "{said}\n{log}"
    );
    let told = told(&site);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert_eq!(lines[0], "[--level=a b][1234][--][whoami]");
    assert!(lines[1].starts_with("[--level=a b][1234][--][/"), "{told}");
    assert!(log.contains("runs the context file as"), "{log}");
}

#[test]
fn extract_and_the_configuration_take_a_wrapper_and_reading_the_context_file_is_in_it() {
    let (site, words) = with_wrapper(WRAPPER);
    let job = ["extract", "1234", "7", "all", "--sandbox-args", &words];
    site.run(&job).succeeded();
    assert_eq!(text(&site, "wrapped", 7).as_deref(), Some("1234"));
    site.run(&["extract", "1234", "8", "all"]).succeeded();
    assert_eq!(text(&site, "wrapped", 8).as_deref(), Some(""));
    site.configure(
        "[jobs]\n",
        &format!("[sandbox]\nwrapper = {words:?}\n[jobs]\n"),
    );
    site.configure("[data]\n", "[data]\nrun = \"\"\n");
    site.run(&["reprocess", "9", "--direct"]).succeeded();
    assert_eq!(text(&site, "wrapped", 9).as_deref(), Some("1234"));
    let before = told(&site).lines().count();
    site.run(&["read-context"]).succeeded();
    assert_eq!(told(&site).lines().count(), before + 2);
}

#[test]
fn a_wrapper_that_is_missing_or_fails_is_named_and_nothing_is_run_without_it() {
    let (site, words) = with_wrapper("#!/bin/sh\necho the door is shut >&2\nexit 4\n");
    for (words, why) in [
        ("/no/such/wrapper", "No such file"),
        (&words, "the door is shut"),
    ] {
        let job = ["extract", "1234", "7", "all", "--sandbox-args", words];
        site.run(&job).failed(1, &["sandbox's wrapper", why]);
        let jobs = Ledger::open(&site.db()).unwrap().jobs().unwrap();
        let last = jobs.last().unwrap();
        assert_eq!(last.state, State::Failed);
        assert!(last.message.as_ref().unwrap().contains(why), "{last:?}");
    }
    assert_eq!(text(&site, "wrapped", 7), None);
}

#[test]
fn a_wrapper_that_fails_later_is_named() {
    let (site, words) = with_wrapper("#!/bin/sh\n[ \"$4\" = whoami ] && exec whoami\nexit 5\n");
    let job = ["extract", "1234", "7", "all", "--sandbox-args", &words];
    site.run(&job)
        .failed(1, &["exit status 5", "a wrapper/run", "sandbox"]);
}

#[test]
fn a_listener_does_not_start_with_a_wrapper_that_is_no_command_line() {
    let (site, _) = with_wrapper(WRAPPER);
    set(&site, "wrapper 'without an end");
    let mut listen = site.command(&site.listener(), &["listen", "--test", "."]);
    Finished::of(&mut listen).failed(1, &["is no command line"]);
}

#[test]
fn a_wrapper_that_is_set_while_the_listener_runs_holds_for_the_next_run() {
    let (site, words) = with_wrapper(WRAPPER);
    let mut listen = site.command(&site.listener(), &["listen", "--test", "."]);
    let mut child = listen.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut hand = child.stdin.take().unwrap();
    use std::io::Write;
    for (run, expected) in [(7, ""), (8, "1234")] {
        writeln!(hand, "1234 {run} raw").unwrap();
        let is_done = || text(&site, "wrapped", run).is_some();
        eventually("the job's result", || site.run_log(run), is_done);
        assert_eq!(text(&site, "wrapped", run).as_deref(), Some(expected));
        set(&site, &words);
    }
    drop(hand);
    assert!(child.wait().unwrap().success());
}

/// DAMNIT leaves the sandbox out there.
#[test]
fn the_job_for_the_cluster_variables_is_in_the_wrapper_too() {
    let Some(slurm) = Slurm::start() else {
        return;
    };
    let (site, words) = with_wrapper(WRAPPER);
    set(&site, &words);
    let on_slurm = OnSlurm::new(&slurm, site, "");
    let mut listen = on_slurm
        .site
        .command(&on_slurm.site.listener(), &["listen", "--test", "."]);
    let mut child = listen
        .envs(slurm.environment())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut hand = child.stdin.take().unwrap();
    use std::io::Write;
    writeln!(hand, "1234 7 raw").unwrap();
    let site = &on_slurm.site;
    let found = || ["wrapped", "wrapped_on_the_cluster"].map(|name| text(site, name, 7));
    eventually(
        "both jobs' results",
        || format!("{:#?}\n{}", on_slurm.jobs(), site.run_log(7)),
        || found().iter().all(Option::is_some),
    );
    let wrapped = Some("1234".to_owned());
    assert_eq!(found(), [wrapped.clone(), wrapped]);
    drop(hand);
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn a_wrapper_and_the_built_in_sandbox_hold_together() {
    if !needs_sandbox(&["namespaces", "landlock", "seccomp"]) {
        return;
    }
    let (site, words) = with_wrapper(WRAPPER);
    let group = format!("[sandbox]\nmode = \"on\"\nwrapper = {words:?}\n[jobs]\n");
    site.configure("[jobs]\n", &group);
    let curious = format!(
        "{CONTEXT}\n@Variable()\ndef outside(run):\n    return open({:?}).read()\n",
        site.path("runledger.toml")
    );
    std::fs::write(site.db().join("context.py"), curious).unwrap();
    site.run(&["extract", "1234", "7", "all"]).succeeded();
    assert_eq!(text(&site, "wrapped", 7).as_deref(), Some("1234"));
    let (class, _) = site.error("outside").unwrap();
    assert_eq!(class, "FileNotFoundError");
}
