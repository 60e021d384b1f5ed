//! Users' code that works against the job: it may cost its own variable, and never what was computed before it, nor
//! another run's results, nor the truth about the job.

use std::path::Path;

use runledger_tests::{Finished, Site};

/// How users' code finds the channel, and what it can write into it.
const TOOLS: &str = r#"
import json, os, signal, struct, sys, time
from damnit_ctx import Variable

def channels():
    for fd in os.listdir("/proc/self/fd"):
        try:
            if int(fd) > 2 and os.readlink("/proc/self/fd/" + fd).startswith("socket:"):
                yield int(fd)
        except OSError:
            pass

def frame(**header):
    text = json.dumps({"buffers": [], **header}).encode()
    return struct.pack("<I", len(text)) + text

def failed(name):
    return frame(message="failed", name=name, seconds=0.0, **{"class": "Forged", "text": "forged"})

def write(*frames):
    for fd in channels():
        for one in frames:
            os.write(fd, one)
"#;

/// A variable before the bad one, the bad one, and one after it.
fn evaluated(body: &str) -> (Site, Finished) {
    let body = body.replace('\n', "\n    ");
    let site = Site::quiet();
    site.init(&format!(
        "{TOOLS}\n@Variable()\ndef good(run):\n    return 42\n\n\
         @Variable()\ndef bad(run, first: 'var#good'):\n    {body}\n\n\
         @Variable()\ndef after(run, first: 'var#good', second: 'var#bad' = None):\n    return 43\n"
    ));
    let finished = site.run(&["reprocess", "7", "--direct", "--mock"]);
    (site, finished)
}

fn value(site: &Site, name: &str) -> Option<f64> {
    site.number(&format!(
        "SELECT value FROM run_variables WHERE name='{name}' AND run=7"
    ))
}

/// What there are cells of, of any run.
fn cells(site: &Site) -> Vec<(u32, String)> {
    let table = site.table();
    let sql = "SELECT run, name FROM run_variables ORDER BY name";
    let mut cells = table.prepare(sql).unwrap();
    let rows = cells
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn forged_frames_cost_the_variable_that_forges_them() {
    let forged = [
        "write(b'garbage that is no frame' * 1000)",
        "write(failed('stolen'))",
        "write(failed('.reduced'))",
        "write(failed('../../p1234_r8'))",
        "write(failed('good'))",
        "write(frame(message='start-time', seconds=1.0))",
        "write(frame(message='start', name='stolen', pid=1))",
        "write(frame(message='manifest', variables=[], order=[]))",
        "write(struct.pack('<I', 0xffffffff))",
        "write(frame(message='failed', buffers=[2 ** 63]))",
        "write(*[failed('bad')] * 10_000)",
        "write(*[frame(message='start', name='bad', pid=os.getpid())] * 10_000)",
    ];
    for body in forged {
        let (site, finished) = evaluated(&format!("{body}\ntime.sleep(600)"));
        let all = ["after", "bad", "good"].map(|name| (7, name.to_owned()));
        assert_eq!(cells(&site), all, "{body}: {finished:#?}");
        assert_eq!(value(&site, "good"), Some(42.0), "{body}: {finished:#?}");
        assert_eq!(value(&site, "after"), Some(43.0), "{body}: {finished:#?}");
        assert!(site.error("bad").is_some(), "{body}: {finished:#?}");
    }
}

#[test]
fn code_that_changes_its_surroundings_harms_itself_only() {
    let changes = [
        "os.chdir('/')\nreturn 1",
        "os.close(1); os.close(2); sys.stdout = sys.stderr = None\nreturn 1",
        "import builtins; builtins.print = builtins.len = builtins.open = None\nreturn 1",
        "json.dumps = os.write = os.getpid = time.time = None\nreturn 1",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nos.kill(os.getpid(), 11)\nos._exit(0)",
        "for module in list(sys.modules.values()):\n    vars(module).clear()",
    ];
    for body in changes {
        let (site, finished) = evaluated(body);
        assert_eq!(value(&site, "good"), Some(42.0), "{body}: {finished:#?}");
        let bad = value(&site, "bad").is_some() || site.error("bad").is_some();
        assert!(bad, "{body}: {finished:#?}");
        let after = value(&site, "after").is_some() || site.error("after").is_some();
        assert!(after, "{body}: {finished:#?}");
    }
}

#[test]
fn code_that_removes_the_results_is_told_and_the_job_has_failed() {
    let (site, finished) = evaluated(
        "for name in os.listdir('extracted_data'):\n    os.remove('extracted_data/' + name)\nreturn 1",
    );
    assert_ne!(finished.code, Some(0), "{finished:#?}");
    let jobs = site.run(&["jobs", "--all"]).succeeded().stdout;
    assert!(jobs.contains("failed"), "{jobs}");
    let said = finished.stdout + &finished.stderr;
    assert!(said.contains("extracted_data/p1234_r7."), "{said}");
}

#[test]
fn a_process_that_forks_on_and_on_ends_with_the_job() {
    let (site, finished) = evaluated(
        "if os.fork() == 0:\n    os.setsid()\n    while True:\n        if os.fork(): os._exit(0)\n        \
         time.sleep(0.001)\nreturn 1",
    );
    assert_eq!(value(&site, "after"), Some(43.0), "{finished:#?}");
    // One look may miss a process that is another one a moment later.
    for _ in 0..50 {
        assert!(!is_anybody_in(&site.db()), "it goes on");
    }
}

/// Whether a process works in this folder.
fn is_anybody_in(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut places =
        processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
    places.any(|place| place == folder)
}
