//! What `sbatch` answered: a job's number, or why not, and whether asking again makes sense.

use super::command::{Answer, Silence};
use crate::queue::Refusal;

/// Slurm cannot take anything now.
const LATER: [&str; 14] = [
    "can't be reached now",
    "Unable to contact slurm controller",
    "Unable to establish controller machine",
    "Connection refused",
    "Connection timed out",
    "temporarily unable to accept job",
    "Resource temporarily unavailable",
    "backup controller in standby mode",
    "presently disabled",
    "authentication",
    "Munge",
    "PersistInit",
    "Job violates accounting/QOS policy",
    "Reached jobs per user limit",
];

/// The request went out, and no answer came.
const UNCLEAR: [&str; 3] = [
    "Socket timed out",
    "Zero Bytes were transmitted",
    "Unexpected message received",
];

/// The number of the job, and its cluster where Slurm names it.
pub(super) fn submitted(
    asked: Result<Answer, Silence>,
) -> Result<(String, Option<String>), Refusal> {
    match asked {
        Ok(answer) if answer.is_success() => number(&answer.output)
            .ok_or_else(|| Refusal::Unclear(format!("sbatch answers {:?}", answer.output.trim()))),
        Ok(answer) => Err(refusal(&answer)),
        Err(silence @ Silence::NotStarted { .. }) => Err(Refusal::Unavailable(silence.to_string())),
        Err(silence @ Silence::TooLong { .. }) => Err(Refusal::Unclear(silence.to_string())),
    }
}

fn refusal(answer: &Answer) -> Refusal {
    let why = answer.why();
    let says = |word: &&str| why.contains(*word);
    if answer.code.is_none() || UNCLEAR.iter().any(says) {
        Refusal::Unclear(why)
    } else if why.contains("No cluster") || !LATER.iter().any(says) {
        Refusal::Refused(why)
    } else {
        Refusal::Unavailable(why)
    }
}

/// The number of a job and its cluster, from `ID` or `ID;CLUSTER`; whatever a site's wrapper prints stands above.
pub fn number(output: &str) -> Option<(String, Option<String>)> {
    let line = output
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())?;
    let (id, cluster) = line.split_once(';').unwrap_or((line, ""));
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let cluster = Some(cluster.trim().to_owned()).filter(|cluster| !cluster.is_empty());
    is_number.then(|| (id.to_owned(), cluster))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, output: &str, complaint: &str) -> Result<Answer, Silence> {
        Ok(Answer {
            code: Some(code),
            output: output.into(),
            complaint: complaint.into(),
        })
    }

    #[test]
    fn the_answer_is_a_number_with_or_without_a_cluster() {
        let solaris = Some("solaris".to_owned());
        assert_eq!(
            submitted(said(0, "12;solaris\n", "")),
            Ok(("12".into(), solaris))
        );
        assert_eq!(submitted(said(0, "12\n", "")), Ok(("12".into(), None)));
        let chatty = submitted(said(0, "Welcome!\n12;\n", "")).unwrap();
        assert_eq!(chatty, ("12".into(), None));
        assert!(matches!(
            submitted(said(0, "ok", "")),
            Err(Refusal::Unclear(_))
        ));
    }

    #[test]
    fn a_wish_that_slurm_does_not_grant_is_refused_in_its_words() {
        for words in [
            "sbatch: error: invalid partition specified: nope\n\
             sbatch: error: Batch job submission failed: Invalid partition name specified",
            "sbatch: error: Batch job submission failed: Requested reservation is invalid",
            "sbatch: error: No cluster 'nope' known by database.\n\
             sbatch: error: 'nope' can't be reached now, or it is an invalid entry for --cluster.",
            "sbatch: error: Batch job submission failed: Requested node configuration is not available",
        ] {
            let Err(Refusal::Refused(why)) = submitted(said(1, "", words)) else {
                panic!("{words}");
            };
            assert!(
                why.contains("sbatch: error: ") && !why.contains('\n'),
                "{why}"
            );
        }
    }

    #[test]
    fn a_controller_that_is_down_or_busy_is_waited_for() {
        for words in [
            "sbatch: error: 'solaris' can't be reached now, or it is an invalid entry for --cluster.",
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
            "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)",
            "sbatch: error: Munge encode failed: Failed to access \"/run/munge.socket\": No such file or directory",
        ] {
            let answer = submitted(said(1, "", words));
            assert!(matches!(answer, Err(Refusal::Unavailable(_))), "{words}");
        }
    }

    #[test]
    fn an_answer_that_was_lost_is_no_refusal() {
        let words =
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation";
        assert!(matches!(
            submitted(said(1, "", words)),
            Err(Refusal::Unclear(_))
        ));
    }
}
