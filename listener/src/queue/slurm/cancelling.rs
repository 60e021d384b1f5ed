//! Taking jobs out of Slurm, which lets only their owner and its operators do that.

use std::collections::HashMap;

use super::asking::{AT_ONCE, is_of, number};
use super::command::Answer;
use super::{SlurmQueue, line::Row};
use crate::ledger::Attempt;
use crate::queue::Denied;
use crate::{Error, Result};

/// How `scancel` begins to say that it could not end one job, and what it says of one that is another's.
const ABOUT: &str = "Kill job error on job id ";
const DENIED: &str = "Access/permission denied";

impl SlurmQueue {
    /// Takes one cluster's attempts out of the queue, and returns those that Slurm does not give up.
    pub(super) fn cancel(
        &self,
        cluster: Option<&str>,
        attempts: &[&Attempt],
    ) -> Result<Vec<Denied>> {
        let numbers = attempts.iter().map(|attempt| number(attempt)).collect();
        let rows = self.queue(cluster, &numbers)?;
        let in_queue = still_there(&rows, attempts);
        let ids: Vec<&str> = in_queue.keys().copied().collect();
        let mut denied = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            let mut scancel = self.about(&self.settings.scancel, cluster);
            scancel.args(some);
            let answer = self.answer(scancel)?;
            let about = refused(&answer)
                .ok_or_else(|| Error::Queue(format!("scancel: {}", answer.why())))?;
            denied.extend(about.iter().filter_map(|id| in_queue.get(id)).map(denial));
        }
        Ok(denied)
    }
}

/// Those of the attempts that have not ended, by their names in the queue.
fn still_there<'a>(rows: &'a [Row], attempts: &[&'a Attempt]) -> HashMap<&'a str, &'a Attempt> {
    let attempt_of = |row: &Row| {
        let is_it = |attempt: &&&Attempt| {
            attempt.queue_id.as_deref() == Some(&row.id) && is_of(row, attempt)
        };
        attempts.iter().find(is_it).copied()
    };
    let there = rows.iter().filter(|row| !row.has_ended());
    there
        .filter_map(|row| Some((row.id.as_str(), attempt_of(row)?)))
        .collect()
}

fn denial(attempt: &&Attempt) -> Denied {
    Denied {
        processing_id: attempt.processing_id.clone(),
        why: DENIED.to_owned(),
    }
}

/// The jobs that are another's: all others are out of the queue. None: it complains of something else.
fn refused(answer: &Answer) -> Option<Vec<&str>> {
    if answer.is_success() {
        return Some(Vec::new());
    }
    let lines = answer.complaint.lines().map(str::trim);
    let refused = lines.filter(|line| !line.is_empty()).map(|line| {
        let (_, about) = line.split_once(ABOUT)?;
        let (id, why) = about.split_once(": ")?;
        (why == DENIED).then_some(id)
    });
    let refused: Vec<&str> = refused.collect::<Option<_>>()?;
    (!refused.is_empty()).then_some(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(complaint: &str) -> Answer {
        Answer {
            code: Some(210),
            output: String::new(),
            complaint: complaint.into(),
        }
    }

    /// As Slurm 22.05 said it.
    #[test]
    fn jobs_that_are_anothers_are_named() {
        let answer = said(
            "scancel: error: Kill job error on job id 2_0: Access/permission denied\n\
             scancel: error: Kill job error on job id 1: Access/permission denied\n",
        );
        assert_eq!(refused(&answer), Some(vec!["2_0", "1"]));
    }

    #[test]
    fn a_controller_that_does_not_answer_refuses_nothing() {
        let down = "scancel: error: Kill job error on job id 1: Unable to contact slurm controller \
                    (connect failure)";
        for complaint in [down, "scancel: error: slurm_load_jobs error: timed out", ""] {
            assert_eq!(refused(&said(complaint)), None, "{complaint}");
        }
    }
}
