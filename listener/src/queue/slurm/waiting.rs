//! Why Slurm lets a job wait: its own trouble is told from a person's wish, and its words become ours.

use crate::queue::JobState;

/// What Slurm will not mend by itself, and nobody has asked for: another try may do.
const TROUBLE: [(&str, &str); 4] = [
    (
        "DependencyNeverSatisfied",
        "it waits for a job that never ended as it should",
    ),
    (
        "launch failed requeued held",
        "its node could not start it, and Slurm holds it",
    ),
    (
        "JobHoldMaxRequeue",
        "Slurm put it back into its line too often, and holds it",
    ),
    ("BadConstraints", "no node is as it asks for"),
];

/// Other reasons that people meet, in words.
const USUAL: [(&str, &str); 14] = [
    ("Priority", "other jobs come first"),
    ("Resources", "there is no room yet"),
    ("JobHeldUser", "its user holds it in Slurm"),
    ("JobHeldAdmin", "an administrator holds it in Slurm"),
    ("JobArrayTaskLimit", "enough tasks of its array run"),
    ("Dependency", "it comes after another job"),
    ("BeginTime", "Slurm tries it again soon"),
    ("ReqNodeNotAvail", "its nodes are not available"),
    ("PartitionDown", "its partition takes no jobs now"),
    ("PartitionInactive", "its partition starts no jobs now"),
    ("Reservation", "its reservation has not begun"),
    ("NodeDown", "its node is down"),
    (
        "Nodes required for job are DOWN",
        "its nodes are down, drained or reserved",
    ),
    ("Licenses", "a licence is not free"),
];

/// How a job waits, for a `reason` in Slurm's word. One that people hold waits until they let it go.
pub(super) fn state(reason: &str) -> JobState {
    if let Some(words) = words(&TROUBLE, reason) {
        return JobState::Stuck(format!("{words} ({reason})"));
    }
    JobState::Waiting(match (reason, words(&USUAL, reason)) {
        ("" | "None", _) => String::new(),
        (_, Some(words)) => format!("waits: {words} ({reason})"),
        (_, None) => format!("waits in Slurm: {reason}"),
    })
}

/// Slurm writes some with underscores, and adds details after a comma.
fn words(list: &[(&str, &'static str)], reason: &str) -> Option<&'static str> {
    let reason = reason.replace('_', " ");
    let known = reason.split(',').next().unwrap_or_default();
    let (_, words) = list.iter().find(|(name, _)| *name == known)?;
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slurm_holds_for_its_own_trouble_is_stuck() {
        for reason in [
            "DependencyNeverSatisfied",
            "launch failed requeued held",
            "launch_failed_requeued_held",
            "JobHoldMaxRequeue",
            "BadConstraints",
        ] {
            assert!(matches!(state(reason), JobState::Stuck(_)), "{reason}");
        }
    }

    #[test]
    fn what_a_person_holds_waits_and_says_so() {
        for reason in ["JobHeldUser", "JobHeldAdmin", "job requeued in held state"] {
            assert!(
                matches!(state(reason), JobState::Waiting(why) if why.contains(reason)),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_reason_is_told_in_words() {
        let told = |reason| match state(reason) {
            JobState::Waiting(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(told("Priority"), "waits: other jobs come first (Priority)");
        assert_eq!(
            told("ReqNodeNotAvail, UnavailableNodes:max1"),
            "waits: its nodes are not available (ReqNodeNotAvail, UnavailableNodes:max1)"
        );
        assert_eq!(told("QOSMaxJobs"), "waits in Slurm: QOSMaxJobs");
        assert_eq!(told("None"), "");
    }
}
