//! Slurm's words for a job's state become ours, once; a word that we don't know is kept for people.

use nix::unistd::{Uid, User};

use crate::ledger::Ending;
use crate::queue::local::{TRY_AGAIN, describe};
use crate::queue::{Account, Fault, JobState};

use super::waiting;

/// The exit status of a job that Slurm could not begin: its folder or its log cannot be opened (the signal of
/// `ExitCode`; ESLURMD_SETUP_ENVIRONMENT_ERROR and its neighbours, slurm/slurm_errno.h).
const NOT_BEGUN: i32 = 53;
const WELL: Ending = Ending::Exit(0);

/// The state that `word` means, with the queue's `reason` for it and how the job ended, where Slurm says so.
pub(super) fn state(
    word: &str,
    reason: &str,
    ending: Ending,
    peak_memory: Option<u64>,
) -> JobState {
    let (word, by) = word.split_once(" by ").unwrap_or((word, ""));
    let ended_by = |ending, fault, words: String| {
        JobState::Ended(Account {
            ending,
            fault,
            peak_memory,
            words,
        })
    };
    // Slurm writes 0 where it does not know the exit code.
    let known = if ending == WELL {
        Ending::Unseen
    } else {
        ending
    };
    let ended = |fault, words| ended_by(known, fault, words);
    match word.trim_end_matches('+') {
        "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD"
        | "SPECIAL_EXIT" | "RESV_DEL_HOLD" => waiting::state(reason),
        "RUNNING" | "COMPLETING" | "STAGE_OUT" | "SIGNALING" | "STOPPED" | "SUSPENDED"
        | "RESIZING" => JobState::Running,
        // A job that did its work has said so: one that was started twice ends so without having begun.
        "COMPLETED" => ended_by(WELL, Fault::Vanished, describe(WELL)),
        "FAILED" if ending == Ending::Signal(NOT_BEGUN) => ended(
            Fault::Queue,
            "Slurm could not begin it: its folder or its log cannot be opened".into(),
        ),
        "FAILED" if ending == Ending::Unseen => {
            ended(Fault::Job, format!("Slurm says FAILED ({reason})"))
        }
        "FAILED" if ending == Ending::Exit(TRY_AGAIN) => ended(Fault::Queue, describe(ending)),
        "FAILED" => ended(Fault::Job, describe(ending)),
        "TIMEOUT" => ended(
            Fault::Job,
            "it took longer than its time in Slurm (slurm_time)".into(),
        ),
        "DEADLINE" => ended(Fault::Job, "it reached its deadline in Slurm".into()),
        "OUT_OF_MEMORY" => ended(
            Fault::Job,
            "it took more memory than it has in Slurm (noncluster_mem)".into(),
        ),
        "CANCELLED" => ended(Fault::Person, cancelled(by)),
        "NODE_FAIL" => ended(Fault::Queue, "its node failed".into()),
        "BOOT_FAIL" => ended(Fault::Queue, "its node did not start".into()),
        "PREEMPTED" => ended(Fault::Queue, "it had to make room for another job".into()),
        "LAUNCH_FAILED" | "RECONFIG_FAIL" | "REVOKED" => {
            ended(Fault::Queue, format!("Slurm could not run it ({word})"))
        }
        other => JobState::Other(match reason {
            "" | "None" => other.to_owned(),
            reason => format!("{other} ({reason})"),
        }),
    }
}

fn cancelled(by: &str) -> String {
    let user = by
        .trim()
        .parse()
        .ok()
        .and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok()?);
    match (user, by.trim()) {
        (Some(user), _) => format!("cancelled in Slurm by {}", user.name),
        (None, "") => "cancelled in Slurm".into(),
        (None, number) => format!("cancelled in Slurm by user {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(word: &str, reason: &str, ending: Ending) -> JobState {
        state(word, reason, ending, None)
    }

    fn end(word: &str, ending: Ending) -> (Fault, String) {
        match meant(word, "None", ending) {
            JobState::Ended(account) => (account.fault, account.words),
            other => panic!("{word}: {other:?}"),
        }
    }

    #[test]
    fn a_users_failure_is_told_from_the_clusters() {
        for word in ["FAILED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"] {
            assert_eq!(end(word, Ending::Exit(1)).0, Fault::Job, "{word}");
        }
        for word in ["NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "LAUNCH_FAILED"] {
            assert_eq!(end(word, Ending::Exit(0)).0, Fault::Queue, "{word}");
        }
        assert_eq!(end("FAILED", Ending::Signal(53)).0, Fault::Queue);
        assert_eq!(end("FAILED", Ending::Exit(75)).0, Fault::Queue);
        assert_eq!(end("COMPLETED", Ending::Exit(0)).0, Fault::Vanished);
    }

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(
            end("FAILED", Ending::Exit(3)).1,
            "its process ended with exit code 3"
        );
        assert_eq!(
            end("FAILED", Ending::Signal(9)).1,
            "its process was ended by SIGKILL"
        );
        assert!(end("TIMEOUT", Ending::Exit(0)).1.contains("slurm_time"));
        assert_eq!(
            end("CANCELLED by 0", Ending::Exit(0)),
            (Fault::Person, "cancelled in Slurm by root".into())
        );
        assert!(
            end("CANCELLED by 4000123", Ending::Unseen)
                .1
                .ends_with("by user 4000123")
        );
    }

    #[test]
    fn what_did_not_end_well_has_no_exit_code_of_nought() {
        for word in ["CANCELLED by 0", "TIMEOUT", "NODE_FAIL"] {
            let JobState::Ended(account) = meant(word, "None", Ending::Exit(0)) else {
                panic!("{word}");
            };
            assert_eq!(account.ending, Ending::Unseen, "{word}");
        }
    }

    #[test]
    fn a_word_that_we_do_not_know_is_kept() {
        let other = meant("EXPEDITING", "Mars", Ending::Unseen);
        assert_eq!(other, JobState::Other("EXPEDITING (Mars)".into()));
    }
}
