//! Faults of Slurm that a real one shows rarely, staged with stand-ins for its commands.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_listener::dispatch::{Dispatch, DispatchSettings, Limits, Queues};
use runledger_listener::job::Job;
use runledger_listener::job_end::Retries;
use runledger_listener::ledger::{Claim, Entry, Ledger, State};
use runledger_listener::monitor::Numbers;
use runledger_listener::queue::{
    GRACE, LocalQueue, LocalSettings, Process, SlurmQueue, SlurmSettings, Surroundings,
};
use runledger_storage::Database;
use runledger_storage::database::SettingValue;
use support::*;

/// Stand-ins for Slurm's commands, which are shell scripts that find their folder in `$HERE`.
struct Stage {
    tools: tempfile::TempDir,
    database: tempfile::TempDir,
}

/// Says its number, and keeps its arguments one a line.
const SBATCH: &str = "printf '%s\\n' \"$@\" >> $HERE/submitted\necho >> $HERE/count\n\
                      echo \"$(wc -l < $HERE/count);solaris\"";
/// Does not want the job.
const REFUSES: &str = "echo 'sbatch: error: Batch job submission failed: Invalid partition name specified' >&2\n\
                       exit 1";
const NOTHING: &str = "true";

impl Stage {
    fn new(sbatch: &str, squeue: &str, sacct: &str) -> Self {
        let stage = Self {
            tools: tempfile::tempdir().unwrap(),
            database: database(),
        };
        for (name, script) in [
            ("sbatch", sbatch),
            ("squeue", squeue),
            ("sacct", sacct),
            ("scancel", "echo \"$@\" >> $HERE/cancelled"),
            ("scontrol", "echo \"$@\" >> $HERE/changed"),
            ("runledger", "echo \"$@\" >> $HERE/here"),
        ] {
            stage.tool(name, script);
        }
        stage
    }

    fn tool(&self, name: &str, script: &str) {
        let here = self.tools.path().display();
        let (new, path) = (self.path(&format!("{name}.new")), self.path(name));
        std::fs::write(&new, format!("#!/bin/sh\nHERE={here}\n{script}\n")).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tools.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn settings(&self) -> SlurmSettings {
        SlurmSettings {
            every: Duration::from_millis(20),
            gone_after: Duration::from_millis(200),
            patience: Duration::from_secs(20),
            sbatch: self.path("sbatch"),
            squeue: self.path("squeue"),
            sacct: self.path("sacct"),
            scancel: self.path("scancel"),
            scontrol: self.path("scontrol"),
            ..SlurmSettings::default()
        }
    }

    fn dispatch(&self, settings: SlurmSettings, falls_back: bool) -> Dispatch {
        self.dispatch_within(settings, falls_back, Limits::default())
    }

    fn dispatch_within(
        &self,
        settings: SlurmSettings,
        falls_back: bool,
        limits: Limits,
    ) -> Dispatch {
        let program = self.path("runledger");
        let local = LocalQueue::new(LocalSettings {
            program: program.clone(),
            config: None,
            limit: 2,
            time_limit: Duration::from_secs(3600),
            grace: GRACE,
        });
        let queues = Queues::only(SlurmQueue::new(settings, program, None)).beside(local);
        queues.fall_back(falls_back);
        let retries = Retries {
            limit: 3,
            first: Duration::from_millis(10),
            longest: Duration::from_millis(10),
        };
        let settings = DispatchSettings {
            retries,
            limits,
            ..DispatchSettings::default()
        };
        Dispatch::start(queues, settings, publisher(None))
    }

    fn begin(&self) -> (Job, Dispatch) {
        let job = planned(self.folder(), 7);
        let dispatch = self.dispatch(self.settings(), false);
        dispatch.look_at(self.folder());
        (job, dispatch)
    }

    fn folder(&self) -> &Path {
        self.database.path()
    }

    fn entry(&self, job: &Job) -> Entry {
        let ledger = Ledger::open(self.folder()).unwrap();
        ledger.job(&job.processing_id).unwrap().unwrap()
    }

    fn attempts(&self, job: &Job) -> usize {
        let ledger = Ledger::open(self.folder()).unwrap();
        ledger.attempts(&job.processing_id).unwrap().len()
    }
}

/// A `squeue` that says this about the job of the last submission.
fn in_queue(state: &str) -> String {
    format!(
        "token=$(grep -A1 -e --comment $HERE/submitted 2>/dev/null | tail -1)\n\
         [ -n \"$token\" ] && echo \"$(wc -l < $HERE/count)|{state}|N/A|$token\"\ntrue"
    )
}

#[test]
fn a_controller_that_is_down_is_waited_for_and_the_job_has_no_failure() {
    let down = "echo \"sbatch: error: 'solaris' can't be reached now, or it is an invalid entry for --cluster.\" >&2\n\
                exit 1";
    let stage = Stage::new(down, NOTHING, NOTHING);
    let (job, dispatch) = stage.begin();
    eventually("a monitor is told", || {
        let told = Numbers::with(dispatch.numbers()).text().unwrap();
        told.contains("runledger_queue_errors_total{queue=\"slurm\",error=\"silent\"}")
    });
    stage.tool("sbatch", SBATCH);
    stage.tool("squeue", &in_queue("PENDING|Priority"));
    eventually("it waits in the queue", || {
        stage.entry(&job).state == State::Pending
    });
    assert_eq!(stage.entry(&job).failures, 0);
}

#[test]
fn a_queue_that_does_not_answer_is_never_taken_for_an_empty_one() {
    let down = "echo >> $HERE/asked\necho 'slurm_load_jobs error: Unable to contact slurm controller' >&2\nexit 1";
    let stage = Stage::new(SBATCH, down, NOTHING);
    let (job, _dispatch) = stage.begin();
    eventually("it was asked often", || {
        stage.text("asked").lines().count() > 4
    });
    assert_eq!(
        (stage.entry(&job).state, stage.attempts(&job)),
        (State::Submitted, 1)
    );
}

#[test]
fn accounts_that_do_not_answer_lose_nobody() {
    let stage = Stage::new(SBATCH, NOTHING, "echo >> $HERE/asked\nexit 1");
    let (job, _dispatch) = stage.begin();
    eventually("they were asked often", || {
        stage.text("asked").lines().count() > 15
    });
    assert_eq!(
        (stage.entry(&job).state, stage.attempts(&job)),
        (State::Submitted, 1)
    );
}

#[test]
fn what_memory_a_job_took_is_known_though_the_accounts_are_slower_than_whoever_looks() {
    let ended = in_queue("COMPLETED|None").replace("N/A", "$(date +%s)");
    let books = "echo >> $HERE/asked\necho \"1|COMPLETED|0:0||$(date +%s)|r7-p1234-damnit\"";
    let stage = Stage::new(SBATCH, &in_queue("RUNNING|None"), books);
    let (job, _dispatch) = stage.begin();
    eventually("it runs", || stage.entry(&job).state == State::Running);
    let (id, mut ledger) = (&job.processing_id, Ledger::open(stage.folder()).unwrap());
    let here = Surroundings::default();
    let claim = ledger.claim(id, Some(1), &Process::this(), &here);
    assert_eq!(claim.unwrap(), Claim::Granted(1));
    ledger.end(id, 1, State::Finished, None, None).unwrap();
    stage.tool("squeue", &ended);
    eventually("the accounts were asked", || {
        stage.text("asked").lines().count() > 3
    });
    let step = "echo '1.batch|COMPLETED|0:0|1536K||batch'";
    stage.tool("sacct", &format!("{books}\n{step}"));
    eventually("its memory is known", || {
        let last = ledger.last_attempt(id).unwrap().unwrap();
        last.peak_memory == Some(1536 << 10)
    });
}

#[test]
fn a_job_that_neither_the_queue_nor_the_accounts_know_is_submitted_again() {
    let stage = Stage::new(SBATCH, NOTHING, NOTHING);
    let (job, _dispatch) = stage.begin();
    eventually("it has a second attempt", || stage.attempts(&job) >= 2);
    let entry = stage.entry(&job);
    assert!((entry.failures, entry.unbegun) >= (0, 1), "{entry:?}");
}

#[test]
fn a_number_that_is_used_again_is_another_job() {
    let stage = Stage::new(
        SBATCH,
        "echo '1|RUNNING|None|N/A|of somebody else'",
        NOTHING,
    );
    let (job, _dispatch) = stage.begin();
    eventually("ours is not there", || stage.attempts(&job) >= 2);
}

/// A `sacct` that has a failure of the first job's number and name in its books, with the end of a line.
fn failed_in_books(rest: &str) -> String {
    format!(
        "name=$(grep -A1 -e --job-name $HERE/submitted | sed -n 2p)\n\
         echo \"1|FAILED|3:0||$(date +%s)|$name{rest}\""
    )
}

#[test]
fn the_accounts_of_another_submission_with_its_number_and_name_are_not_taken_for_its_own() {
    let other = failed_in_books("|sbatch --comment of-another-one");
    let stage = Stage::new(SBATCH, NOTHING, &other);
    let (job, _dispatch) = stage.begin();
    eventually("it has a second attempt", || stage.attempts(&job) >= 2);
}

#[test]
fn an_older_slurm_whose_accounts_have_no_submissions_is_understood() {
    let books = failed_in_books("");
    let older = format!(
        "case \"$*\" in *SubmitLine*)\n\
         echo 'sacct: error: Invalid field requested: \"SubmitLine\"' >&2; exit 1;;\nesac\n{books}"
    );
    let stage = Stage::new(SBATCH, NOTHING, &older);
    let (job, _dispatch) = stage.begin();
    eventually("it has failed", || stage.entry(&job).state == State::Failed);
    assert_eq!(stage.attempts(&job), 1);
}

#[test]
fn a_submission_whose_answer_was_lost_is_found_again_and_not_repeated() {
    let silent = format!(
        "({SBATCH}) > /dev/null\necho 'sbatch: error: Socket timed out on send/recv operation' >&2\nexit 1"
    );
    let stage = Stage::new(&silent, &in_queue("PENDING|Priority"), NOTHING);
    let (job, _dispatch) = stage.begin();
    eventually("it waits in the queue", || {
        stage.entry(&job).state == State::Pending
    });
    assert_eq!(stage.text("count").lines().count(), 1);
}

#[test]
fn what_slurm_holds_for_its_own_trouble_is_cancelled_and_submitted_anew() {
    for trouble in ["DependencyNeverSatisfied", "launch failed requeued held"] {
        let stuck = in_queue(&format!("PENDING|{trouble}"));
        let stage = Stage::new(SBATCH, &stuck, NOTHING);
        let (job, _dispatch) = stage.begin();
        eventually("it has a second attempt", || stage.attempts(&job) >= 2);
        assert!(stage.text("cancelled").contains("--clusters solaris 1"));
    }
}

/// A `squeue` for which two arrays of two tasks go on for ever: the first runs, the second waits for it.
const TWO_ARRAYS: &str = "\
    echo >> $HERE/asked\n\
    set -- $(grep -A1 -e --comment $HERE/submitted 2>/dev/null | grep -v -e --)\n\
    for task in 0 1; do\n\
    echo \"1_$task|RUNNING|None|N/A|$1\"\n\
    echo \"2_$task|PENDING|Dependency|N/A|$2\"\n\
    done";

#[test]
fn an_array_is_let_go_that_waits_for_one_whose_jobs_have_all_ended() {
    let stage = Stage::new(SBATCH, TWO_ARRAYS, NOTHING);
    let mut db = Database::open(stage.folder()).unwrap();
    let one = SettingValue::Integer(1);
    db.set_setting("concurrent_jobs", &one).unwrap();
    let jobs: Vec<Job> = (1..=4).map(|run| planned(stage.folder(), run)).collect();
    let settings = SlurmSettings {
        array_size: 2,
        ..stage.settings()
    };
    let dispatch = stage.dispatch(settings, false);
    dispatch.look_at(stage.folder());
    let waits = |job: &Job| stage.entry(job).state == State::Pending;
    eventually("the second array waits", || jobs[2..].iter().all(waits));
    assert!(
        stage
            .text("submitted")
            .contains("--dependency=afterany:1\n")
    );
    let end = |job: &Job| {
        let mut ledger = Ledger::open(stage.folder()).unwrap();
        let (id, here) = (&job.processing_id, Surroundings::default());
        let claim = ledger.claim(id, Some(1), &Process::this(), &here);
        assert_eq!(claim.unwrap(), Claim::Granted(1));
        ledger.end(id, 1, State::Finished, None, None).unwrap();
    };
    end(&jobs[0]);
    let asked = stage.text("asked").len();
    eventually("it was asked for a while", || {
        stage.text("asked").len() > asked + 20
    });
    assert_eq!(stage.text("changed"), "", "a job of the first one goes on");
    end(&jobs[1]);
    eventually("the second one is let go", || {
        stage
            .text("changed")
            .contains("--clusters solaris update jobid=2 dependency=\n")
    });
}

#[test]
fn a_job_that_an_administrator_holds_waits_and_says_so() {
    let stage = Stage::new(SBATCH, &in_queue("PENDING|JobHeldAdmin"), NOTHING);
    let (job, _dispatch) = stage.begin();
    eventually("it says why", || {
        let why = stage.entry(&job).message;
        why.is_some_and(|why| why.contains("an administrator holds it"))
    });
    let entry = stage.entry(&job);
    assert_eq!((entry.state, entry.failures), (State::Pending, 0));
    assert_eq!(stage.attempts(&job), 1);
}

#[test]
fn what_slurm_refuses_is_done_here_where_that_is_allowed() {
    let in_a_database = Limits {
        running: Some(1),
        ..Limits::default()
    };
    let in_all = Limits {
        running_total: Some(1),
        ..Limits::default()
    };
    for limits in [Limits::default(), in_a_database, in_all] {
        let stage = Stage::new(REFUSES, NOTHING, NOTHING);
        planned(stage.folder(), 7);
        let dispatch = stage.dispatch_within(stage.settings(), true, limits);
        dispatch.look_at(stage.folder());
        eventually("it runs here", || {
            stage.text("here").contains("extract 1234 7 raw")
        });
    }
}

#[test]
fn where_there_is_no_sbatch_jobs_run_here_if_that_is_allowed_and_wait_if_not() {
    let stage = Stage::new(SBATCH, NOTHING, NOTHING);
    let job = planned(stage.folder(), 7);
    let without = SlurmSettings {
        sbatch: "/no/such/sbatch".into(),
        ..stage.settings()
    };
    let waits = stage.dispatch(without.clone(), false);
    waits.look_at(stage.folder());
    eventually("it says what is missing", || {
        let why = stage.entry(&job).message.unwrap_or_default();
        why.contains("/no/such/sbatch") && why.contains("allow-local-processing")
    });
    assert_eq!(
        (stage.entry(&job).state, stage.entry(&job).failures),
        (State::Planned, 0)
    );
    drop(waits);
    let dispatch = stage.dispatch(without, true);
    dispatch.look_at(stage.folder());
    eventually("it runs here", || {
        stage.text("here").contains("extract 1234 7 raw")
    });
}

#[test]
fn sbatch_is_told_nothing_of_arrays_desktops_and_preloaded_libraries() {
    let stage = Stage::new(
        &format!("env > $HERE/environment; {SBATCH}"),
        NOTHING,
        NOTHING,
    );
    let (_job, _dispatch) = stage.begin();
    eventually("it was submitted", || !stage.text("count").is_empty());
    let environment = stage.text("environment");
    for name in ["SLURM_ARRAY_", "DISPLAY=", "LD_PRELOAD="] {
        assert!(
            !environment.lines().any(|line| line.starts_with(name)),
            "{name}"
        );
    }
    let submitted = stage.text("submitted");
    let log = stage.folder().join("process_logs/r7-p1234.out");
    assert!(submitted.contains(&format!("-o\n{}\n--open-mode=append\n", log.display())));
    assert!(log.is_file());
}

#[test]
fn a_lone_job_is_submitted_while_the_queue_has_not_answered_yet() {
    let unanswered = "echo >> $HERE/asked; until [ -e $HERE/answered ]; do sleep 0.05; done";
    let stage = Stage::new(SBATCH, unanswered, NOTHING);
    let (_job, dispatch) = stage.begin();
    eventually("the queue is asked", || !stage.text("asked").is_empty());
    for run in 8..11 {
        let job = planned(stage.folder(), run);
        dispatch.planned(stage.folder(), [job]);
        eventually("it is submitted", || {
            stage.text("count").lines().count() == run as usize - 6
        });
    }
    // All of them while the first question was still open.
    assert_eq!(stage.text("asked").lines().count(), 1);
    std::fs::write(stage.path("answered"), "").unwrap();
}
