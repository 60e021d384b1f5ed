//! What `squeue` prints of the jobs in the queue, and of those that left it a moment ago.

use super::words;
use crate::ledger::Ending;
use crate::queue::JobState;

/// What we ask for: name, state, reason, when it ended (or will), our token.
pub(super) const FORMAT: &str = "%i|%T|%r|%e|%k";

/// A job, or a task of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `123`, `123_4`.
    pub id: String,
    /// In Slurm's word.
    pub state: String,
    /// Why it waits, or how it ended, in Slurm's word.
    pub reason: String,
    /// When it ended, or is expected to; seconds since 1970.
    pub ended_at: Option<f64>,
    /// The comment that it was given.
    pub token: String,
}

impl Row {
    /// How far the job is, as far as the queue knows.
    pub fn state(&self) -> JobState {
        words::state(&self.state, &self.reason, Ending::Unseen, None)
    }

    /// Whether it has left the queue, and stands there for a while only.
    pub fn has_ended(&self) -> bool {
        matches!(self.state(), JobState::Ended(_))
    }
}

/// The rows of an answer; lines that are no rows are left out.
pub fn rows(output: &str) -> Vec<Row> {
    output.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.trim().splitn(5, '|');
    let mut next = || fields.next().map(str::to_owned);
    let (id, state, reason) = (next()?, next()?, next()?);
    let ended_at = next()?.parse().ok();
    let token = next()?;
    id.starts_with(|c: char| c.is_ascii_digit()).then_some(Row {
        id,
        state,
        reason,
        ended_at,
        token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Slurm 22.05 printed it.
    const CAPTURED: &str = "\
2_2|PENDING|JobArrayTaskLimit|N/A|0b5e-2
6_0|PENDING|Dependency|N/A|(null)
1|RUNNING|None|1795260438|a|b
11|FAILED|NonZeroExitCode|1795260443|77aa
CLUSTER: solaris
";

    #[test]
    fn each_line_is_a_job_or_a_task() {
        let rows = rows(CAPTURED);
        let read: Vec<_> = rows
            .iter()
            .map(|row| (row.id.as_str(), row.state.as_str(), row.token.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("2_2", "PENDING", "0b5e-2"),
                ("6_0", "PENDING", "(null)"),
                ("1", "RUNNING", "a|b"),
                ("11", "FAILED", "77aa")
            ]
        );
        assert_eq!(rows[0].reason, "JobArrayTaskLimit");
        assert_eq!(
            (rows[0].ended_at, rows[3].ended_at),
            (None, Some(1_795_260_443.0))
        );
    }
}
