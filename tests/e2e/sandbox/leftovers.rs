//! What a job finds of those before it, which is nothing; and what it leaves behind, which is nothing either.

use std::process::Command;

use runledger_tests::{Finished, Service, eventually, needs_sandbox};

use crate::stage::{ALL, Stage};

#[test]
fn files_that_the_jobs_parent_left_open_are_closed() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    stage.context(&[("inherited", "return os.pread(9, 5, 0).decode()")]);
    let job = stage
        .site
        .command(&stage.site.db(), &["extract", "1234", "7", "all", "--mock"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec 9<\"$0\"; exec \"$@\""])
        .arg(stage.outside().join("secret"))
        .arg(job.get_program())
        .args(job.get_args())
        .current_dir(stage.site.db());
    for (name, value) in job.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Finished::of(&mut shell).succeeded();
    let (class, _) = stage.site.error("inherited").unwrap();
    assert_eq!(class, "OSError");
}

/// A variable that starts a process far from its own group, which sleeps so long; and what comes then.
fn daemon(seconds: &str, then: &str) -> String {
    format!(
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        \
         os.execve('/bin/sleep', ['sleep', '{seconds}'], {{}})\n    os._exit(0)\nos.wait()\n{then}"
    )
}

/// Whether a process sleeps so long.
fn sleeps(seconds: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.map(|entry| std::fs::read(entry.path().join("cmdline")));
    let words = format!("sleep\0{seconds}\0");
    lines.any(|line| line.is_ok_and(|line| line == words.as_bytes()))
}

#[test]
fn no_process_outlives_its_job() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    let seconds = format!("86400.{}", std::process::id());
    let body = daemon(&seconds, "return 1");
    stage.context(&[("daemon", &body)]);
    stage.extract().succeeded();
    assert_eq!(stage.value("daemon").as_deref(), Some("1"));
    assert!(!sleeps(&seconds));
}

/// The context file does what it can to go on: its Python leaves its group, and holds on to nothing that could end it.
#[test]
fn a_job_that_is_killed_takes_everything_with_it() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    let seconds = format!("86401.{}", std::process::id());
    let then = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n\
                os.killpg = None\nprint('at work', flush=True)\ntime.sleep(86400)";
    let body = daemon(&seconds, then);
    stage.context(&[("daemon", &body)]);
    let temporary = stage.site.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let arguments = ["extract", "1234", "7", "all", "--mock"];
    let mut job = stage.site.command(&stage.site.db(), &arguments);
    let mut job = Service::start(job.env("TMPDIR", &temporary), &stage.site.path("job.log"));
    let explain = || std::fs::read_to_string(stage.site.path("job.log")).unwrap_or_default();
    eventually("the process runs", explain, || sleeps(&seconds));
    job.kill();
    eventually("all of it has ended", explain, || !sleeps(&seconds));
    let left = || std::fs::read_dir(&temporary).unwrap().count();
    eventually("its files are gone", explain, || left() == 0);
}

#[test]
fn nothing_of_a_job_is_left_behind() {
    if !needs_sandbox(&ALL) {
        return;
    }
    let stage = Stage::of(&ALL, "");
    let temporary = stage.site.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    stage.context(&[(
        "file",
        "open(tempfile.gettempdir() + '/left', 'w').write('x')\nreturn 1",
    )]);
    let mut job = stage
        .site
        .command(&stage.site.db(), &["extract", "1234", "7", "all", "--mock"]);
    Finished::of(job.env("TMPDIR", &temporary)).succeeded();
    assert_eq!(stage.value("file").as_deref(), Some("1"));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}
