//! Users' code that misbehaves costs a variable, or the job, but never what was computed before it.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use runledger_context::run::RunData;
use runledger_context::selection::Selection;
use runledger_context::value::{Data, Outcome};
use runledger_context::worker::{Broken, Cause, End, Event};
use support::{Folder, evaluate, mock_request, seconds};

const BEFORE_AND_AFTER: &str = r#"
import os, sys, threading, time, ctypes
@Variable
def before(run): return "kept"
@Variable
def culprit(run, before: "var#before"):
    return misbehave()
@Variable
def after(run, before: "var#before", culprit: "var#culprit" = None): return "reached"
"#;

fn misbehaving(body: &str) -> Folder {
    Folder::with(&format!(
        "{BEFORE_AND_AFTER}\ndef misbehave():\n    {body}\n"
    ))
}

/// Evaluates a file whose culprit goes on living, and asserts that its neighbours have their values.
fn survives(body: &str) -> support::Evaluated {
    let evaluated = misbehaving(body).evaluate();
    assert_eq!(evaluated.end, End::Finished, "{body}");
    for (name, text) in [("before", "kept"), ("after", "reached")] {
        assert_eq!(
            evaluated.cell(name).data,
            Some(Data::Text(text.into())),
            "{body}"
        );
    }
    evaluated
}

#[test]
fn prints_do_not_meet_the_results() {
    survives("print('x' * 10_000); sys.stdout.write('\\x00\\xff'); return 1");
    survives("os.write(1, b'\\x05\\x00\\x00\\x00noise'); return 1");
    survives("ctypes.CDLL(None).puts(b'from C'); ctypes.CDLL(None).fflush(None); return 1");
}

#[test]
fn exits_and_interrupts_are_failures_of_their_variable() {
    for (body, class, message) in [
        ("sys.exit(3)", "SystemExit", "3"),
        (
            "raise KeyboardInterrupt('ctrl')",
            "KeyboardInterrupt",
            "ctrl",
        ),
        ("raise GeneratorExit", "GeneratorExit", ""),
        ("return misbehave()", "RecursionError", ""),
    ] {
        let evaluated = survives(body);
        let failure = evaluated.failure("culprit");
        assert_eq!(failure.class, class);
        assert!(failure.message.starts_with(message), "{failure:?}");
    }
}

#[test]
fn an_exception_that_cannot_be_printed_is_a_failure_all_the_same() {
    let folder = misbehaving("raise Unprintable");
    let code = fs::read_to_string(folder.path().join("context.py")).unwrap();
    let class = "class Unprintable(Exception):\n    def __str__(self): raise ValueError\n";
    folder.write("context.py", &(code + class));
    let evaluated = folder.evaluate();
    assert_eq!(evaluated.failure("culprit").class, "Unprintable");
    assert_eq!(evaluated.end, End::Finished);
}

#[test]
fn texts_that_cannot_be_stored_cost_one_variable() {
    let evaluated = survives("return 'a\\x00b'");
    assert_eq!(evaluated.failure("culprit").class, "ValueError");
    let evaluated = survives("return '\\ud800'");
    assert_eq!(evaluated.failure("culprit").class, "UnicodeEncodeError");
    let evaluated = survives("raise ValueError('\\ud800\\x00')");
    assert_eq!(evaluated.failure("culprit").message, r"\ud800\x00");
    let evaluated = survives("return Cell(1, units='\\ud800')");
    assert_eq!(evaluated.failure("culprit").class, "UnicodeEncodeError");
    survives("return np.zeros(2, dtype=[('\\ud800', 'i4')])");
}

#[test]
fn not_a_number_and_infinity_are_values() {
    let evaluated = survives("return Cell(np.inf, summary_value=np.nan)");
    assert!(evaluated.cell("culprit").data.is_some());
}

#[test]
fn a_closed_or_replaced_stdout_does_not_matter() {
    survives("sys.stdout.close(); sys.stderr.close(); return 1");
    survives("sys.stdout = None; return 1");
    survives(
        "os.close(0); os.close(1); os.close(3) if os.path.exists('/proc/self/fd/3') else 0; return 1",
    );
}

#[test]
fn threads_that_run_on_do_not_hold_the_job_up() {
    let began = Instant::now();
    survives("threading.Thread(target=time.sleep, args=(600,)).start(); return 1");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_forked_child_that_comes_back_says_nothing() {
    let evaluated = survives("os.fork(); return 1");
    let finished = |event: &&Event| matches!(event, Event::Outcome { name, .. } if name == "after");
    assert_eq!(evaluated.events.iter().filter(finished).count(), 1);
    survives("[os.fork() for _ in range(3)]; raise ValueError");
}

#[test]
fn a_child_process_left_behind_ends_with_the_job() {
    let folder = misbehaving("import subprocess; return subprocess.Popen(['sleep', '600']).pid");
    let evaluated = folder.evaluate();
    let Some(Data::Array(pid)) = &evaluated.cell("culprit").data else {
        panic!("a number");
    };
    let pid = i64::from_le_bytes(pid.bytes.in_memory().unwrap().try_into().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    while runs(pid) {
        assert!(Instant::now() < deadline, "the child {pid} still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; where nobody reaps orphans, a dead one stays as a zombie.
fn runs(pid: i64) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !(state.is_empty() || state.contains(") Z "))
}

#[test]
fn a_child_that_holds_on_does_not_hide_the_death_of_its_parent() {
    let evaluated = misbehaving("os.system('sleep 600 &'); os._exit(5)").evaluate();
    assert_eq!(
        evaluated.broken().cause,
        Cause::Died("exit status 5".into())
    );
}

#[test]
fn a_death_names_the_culprit_and_keeps_what_was_computed() {
    for (body, how) in [
        ("os._exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
        ("ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
    ] {
        let evaluated = misbehaving(body).evaluate();
        assert!(matches!(evaluated.outcomes()["before"], Outcome::Cell(_)));
        let expected = Broken {
            cause: Cause::Died(how.into()),
            running: Some("culprit".into()),
            unfinished: vec!["after".into()],
        };
        assert_eq!(evaluated.broken(), &expected);
    }
}

#[test]
fn a_function_that_never_returns_is_stopped_at_the_deadline() {
    for body in [
        "while True: pass",
        "import signal; signal.signal(15, lambda *_: 0); time.sleep(600)",
    ] {
        let evaluated = misbehaving(body).evaluate_within(&seconds(4), |_| {});
        assert!(matches!(evaluated.outcomes()["before"], Outcome::Cell(_)));
        let expected = Broken {
            cause: Cause::JobTimeLimit(Duration::from_secs(4)),
            running: Some("culprit".into()),
            unfinished: vec!["after".into()],
        };
        assert_eq!(evaluated.broken(), &expected);
    }
}

#[test]
fn a_channel_that_the_users_code_closes_ends_the_job_and_nothing_is_written_elsewhere() {
    let folder =
        misbehaving("os.closerange(3, 1024); [open('mine', 'w') for _ in range(300)]; return 1");
    let evaluated = folder.evaluate();
    assert!(
        matches!(evaluated.broken().cause, Cause::Died(_)),
        "{:?}",
        evaluated.end
    );
    assert_eq!(fs::read(folder.path().join("mine")).unwrap(), b"");
}

#[test]
fn a_worker_can_be_asked_again_and_remembers_its_globals() {
    let folder = Folder::with(
        "calls = []\n@Variable\ndef count(run):\n    calls.append(1)\n    return str(len(calls))",
    );
    let mut worker = folder.start().unwrap();
    let names = Selection::of(RunData::All).names(worker.manifest());
    for expected in ["1", "2"] {
        let evaluated = evaluate(&mut worker, &mock_request(names.clone()), &seconds(60));
        assert_eq!(
            evaluated.cell("count").data,
            Some(Data::Text(expected.into()))
        );
    }
}

#[test]
fn what_is_registered_for_the_end_of_python_runs() {
    let folder = Folder::with(
        "import atexit\natexit.register(lambda: open('left', 'w').close())\n@Variable\ndef a(run): return 1\n",
    );
    folder.evaluate();
    assert!(folder.path().join("left").exists());
}
