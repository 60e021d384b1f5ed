//! Whatever the users' code does, it costs at most its own variable, and the job says what happened.

use runledger_tests::{Finished, Site};

/// A variable before the bad one, and the bad one.
fn with_bad(body: &str) -> String {
    let body = body.replace('\n', "\n    ");
    format!(
        "import os, sys, threading, time, ctypes\nfrom damnit_ctx import Variable\n\n\
         @Variable()\ndef good(run):\n    return 42\n\n\
         @Variable()\ndef bad(run, first: 'var#good'):\n    {body}\n\n\
         @Variable()\ndef after(run, first: 'var#bad' = None):\n    return 43\n"
    )
}

fn evaluated(body: &str) -> (Site, Finished) {
    let site = Site::quiet();
    site.init(&with_bad(body));
    let finished = site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"]);
    (site, finished)
}

fn value(site: &Site, name: &str) -> Option<f64> {
    site.number(&format!(
        "SELECT value FROM run_variables WHERE name='{name}'"
    ))
}

/// The error of `bad`: class and message.
#[track_caller]
fn error(site: &Site, finished: &Finished) -> (String, String) {
    let error = site.error("bad");
    error.unwrap_or_else(|| panic!("no error is stored: {finished:#?}"))
}

#[test]
fn printing_does_not_confuse_the_channel() {
    let (site, finished) = evaluated(
        "print('hello from Python')\nos.write(1, b'hello from fd 1\\n')\n\
         libc = ctypes.CDLL(None)\nlibc.puts(b'hello from C')\nlibc.fflush(None)\nreturn 1",
    );
    let finished = finished.succeeded();
    assert_eq!(value(&site, "bad"), Some(1.0));
    let all = finished.stdout + &finished.stderr;
    for word in ["hello from Python", "hello from fd 1", "hello from C"] {
        assert!(all.contains(word), "{word} is lost:\n{all}");
    }
}

#[test]
fn variables_are_evaluated_at_once_where_the_settings_say_so() {
    // Each waits until the other one runs.
    let meeting = |name: &str, mine: &str, other: &str| {
        format!(
            "@Variable()\ndef {name}(run):\n    open('{mine}', 'w').close()\n    \
             while not os.path.exists('{other}'):\n        time.sleep(0.01)\n    return 1\n"
        )
    };
    let site = Site::quiet();
    site.init(&format!(
        "import os, time\nfrom damnit_ctx import Variable\n{}{}",
        meeting("first", "a", "b"),
        meeting("second", "b", "a")
    ));
    site.configure("[jobs]", "[jobs]\ncontext_workers = 2");
    site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"])
        .succeeded();
    for name in ["first", "second"] {
        assert_eq!(value(&site, name), Some(1.0));
    }
}

#[test]
fn threads_that_go_on_do_not_keep_the_job() {
    let (site, finished) =
        evaluated("threading.Thread(target=time.sleep, args=(600,)).start()\nreturn 1");
    finished.succeeded();
    assert_eq!(value(&site, "after"), Some(43.0));
}

#[test]
fn a_process_that_is_left_behind_ends_with_the_job() {
    let (site, finished) = evaluated(
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nopen('pid', 'w').write(str(child.pid))\nreturn 1",
    );
    finished.succeeded();
    let pid = std::fs::read_to_string(site.db().join("pid")).expect("the child's number");
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(
        state.is_empty() || state.contains(") Z "),
        "still there: {state}"
    );
}

#[test]
fn a_daemon_with_an_environment_of_its_own_ends_with_the_job() {
    let (site, finished) = evaluated(
        "import subprocess\nchild = subprocess.Popen(['/bin/sleep', '600'], env={'PATH': '/bin'}, start_new_session=True)\n\
         open('pid', 'w').write(str(child.pid))\nreturn 1",
    );
    finished.succeeded();
    let pid = std::fs::read_to_string(site.db().join("pid")).expect("the child's number");
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(
        state.is_empty() || state.contains(") Z "),
        "still there: {state}"
    );
}

#[test]
fn an_exception_costs_one_variable() {
    let (site, finished) = evaluated("raise KeyError('no such source')");
    assert_eq!(error(&site, &finished).0, "KeyError");
    assert_eq!(value(&site, "good"), Some(42.0));
    assert_eq!(value(&site, "after"), Some(43.0));
}

#[test]
fn sys_exit_costs_one_variable() {
    let (site, finished) = evaluated("sys.exit(3)");
    assert_eq!(error(&site, &finished), ("SystemExit".into(), "3".into()));
    assert_eq!(value(&site, "after"), Some(43.0));
}

#[test]
fn a_keyboard_interrupt_costs_one_variable() {
    let (site, finished) = evaluated("raise KeyboardInterrupt");
    assert_eq!(error(&site, &finished).0, "KeyboardInterrupt");
    assert_eq!(value(&site, "after"), Some(43.0));
}

#[test]
fn a_python_that_ends_itself_costs_one_variable() {
    let (site, finished) = evaluated("os._exit(5)");
    let (_, message) = error(&site, &finished);
    assert!(
        message.contains("exit status 5") || message.contains("exit status: 5"),
        "{message}"
    );
    assert_eq!(value(&site, "good"), Some(42.0));
    assert_eq!(value(&site, "after"), Some(43.0));
    finished.succeeded();
}

#[test]
fn what_was_finished_before_a_crash_is_kept_and_the_signal_is_named() {
    let (site, finished) = evaluated("ctypes.string_at(0)");
    let (_, message) = error(&site, &finished);
    assert!(message.contains("SIGSEGV"), "{message}");
    assert_eq!(value(&site, "good"), Some(42.0));
}

#[test]
fn a_crash_in_a_variable_that_is_never_stored_leaves_no_cell_for_it() {
    let site = Site::quiet();
    site.init(
        "import os\nfrom damnit_ctx import Variable\n\n@Variable()\ndef good(run):\n    return 42\n\n\
         @Variable(transient=True)\ndef passing(run, x: 'var#good'):\n    os._exit(5)\n",
    );
    site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"]);
    assert_eq!(value(&site, "good"), Some(42.0));
    let cells = "SELECT count(*) FROM run_variables";
    assert_eq!(site.number(cells), Some(1.0));
}

#[test]
fn what_was_finished_before_the_time_limit_is_kept() {
    let site = Site::quiet();
    site.init(&with_bad("while True:\n    time.sleep(1)"));
    site.configure("time_limit = \"2m\"", "time_limit = \"4s\"");
    let finished = site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"]);
    let (_, message) = error(&site, &finished);
    assert!(message.contains("4s"), "{message}");
    assert_eq!(value(&site, "good"), Some(42.0));
}

#[test]
fn a_job_that_is_killed_leaves_what_it_had_finished() {
    let site = Site::quiet();
    site.init(&with_bad(
        "time.sleep(1)\nos.kill(os.getppid(), 9)\ntime.sleep(600)",
    ));
    let finished = site.run(&["reprocess", "7", "--mock", "--direct"]);
    assert_eq!(finished.code, Some(3), "{finished:#?}");
    assert_eq!(value(&site, "good"), Some(42.0), "{finished:#?}");
    let (class, message) = error(&site, &finished);
    assert!(
        class == "JobDied" && message.contains("SIGKILL"),
        "{message}"
    );
}

#[test]
fn a_result_that_cannot_be_stored_costs_one_variable_and_names_the_type() {
    let (site, finished) = evaluated("return object()");
    let (class, message) = error(&site, &finished);
    assert_eq!(class, "TypeError");
    assert!(message.contains("object"), "{message}");
    assert_eq!(value(&site, "after"), Some(43.0));
}
