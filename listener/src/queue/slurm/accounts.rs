//! What `sacct` knows of jobs that have left the queue: how they ended, and what memory they took.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::ledger::Ending;

/// What we ask for: the command line by which it was submitted has our token.
pub(super) const FORMAT: &str = "JobID,State,ExitCode,MaxRSS,Submit,JobName,SubmitLine";
/// What Slurm before 21.08 can tell of it, and what it says to the other wish.
pub(super) const OLDER_FORMAT: &str = "JobID,State,ExitCode,MaxRSS,Submit,JobName";
pub(super) const OLDER: &str = "Invalid field requested";
/// The clocks of two machines may differ by so much (seconds).
const CLOCKS: f64 = 120.0;

/// A job, or a task of an array, in the books.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// In Slurm's word: `CANCELLED by 1000`.
    pub state: String,
    /// How its process ended.
    pub ending: Ending,
    /// The most that one of its steps took, in bytes.
    pub peak_memory: Option<u64>,
    submitted_at: f64,
    name: String,
    /// The command line of `sbatch`; empty where the accounts don't have it.
    submission: String,
}

/// The books by the names that `squeue` uses. A number may stand for several jobs: it is used again when Slurm has
/// lost its state.
#[derive(Debug, Default)]
pub struct Records {
    /// Job or task → what is known of it, in the order of the books.
    jobs: HashMap<String, Vec<Record>>,
    /// Array → its tasks that never began, which stand in one line: `2_[3,5-9%2]`.
    waiting: HashMap<String, Vec<(Tasks, Record)>>,
}

/// Numbers of tasks, first and last. They are not counted out: a line can name four billion.
type Tasks = Vec<RangeInclusive<u32>>;

impl Records {
    /// Reads an answer of `sacct --parsable2 --noheader --duplicates`, in which a job's steps follow it.
    pub fn read(output: &str) -> Self {
        let mut records = Self::default();
        for line in output.lines() {
            records.add(line);
        }
        records
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let mut fields = line.splitn(7, '|');
        let mut next = || fields.next();
        let (id, state, exit, memory, submit, name) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        let submission = next().unwrap_or_default().to_owned();
        let memory = bytes(memory);
        if let Some((job, _step)) = id.split_once('.') {
            let last = self.jobs.get_mut(job)?.last_mut()?;
            last.peak_memory = last.peak_memory.max(memory);
            return None;
        }
        let record = Record {
            state: state.to_owned(),
            ending: ending(exit),
            peak_memory: memory,
            submitted_at: submit.parse().ok()?,
            name: name.to_owned(),
            submission,
        };
        match id.split_once("_[") {
            None => self.jobs.entry(id.to_owned()).or_default().push(record),
            Some((array, tasks)) => {
                let of_array = self.waiting.entry(array.to_owned()).or_default();
                of_array.push((ranges(tasks), record));
            }
        }
        None
    }

    /// The last that is known of the job of this number and name that was submitted then (seconds since 1970), with
    /// this token unless it was submitted by hand: the tasks of all arrays have the same names.
    pub fn find(
        &self,
        id: &str,
        name: &str,
        submitted_at: f64,
        token: Option<&str>,
    ) -> Option<&Record> {
        let is_meant = |record: &&Record| {
            record.name == name
                && record.submitted_at + CLOCKS >= submitted_at
                && token.is_none_or(|token| record.may_have(token))
        };
        let mut of_id = self.jobs.get(id).into_iter().flatten();
        of_id
            .rfind(is_meant)
            .or_else(|| self.waiting(id).rfind(is_meant))
    }

    /// What is known of a task in lines that stand for several.
    fn waiting(&self, id: &str) -> impl DoubleEndedIterator<Item = &Record> {
        let (array, task) = id.split_once('_').unwrap_or((id, ""));
        let task = task.parse::<u32>();
        let has = move |tasks: &Tasks| {
            let mut ranges = tasks.iter();
            task.as_ref()
                .is_ok_and(|task| ranges.any(|range| range.contains(task)))
        };
        let of_array = self.waiting.get(array).into_iter().flatten();
        of_array.filter_map(move |(tasks, record)| has(tasks).then_some(record))
    }
}

impl Record {
    fn may_have(&self, token: &str) -> bool {
        self.submission.is_empty() || self.submission.contains(token)
    }

    /// Whether the books are closed: until then the queue knows better.
    pub fn is_closed(&self) -> bool {
        ![
            "PENDING",
            "RUNNING",
            "REQUEUED",
            "SUSPENDED",
            "RESIZING",
            "COMPLETING",
        ]
        .contains(&self.state.as_str())
    }
}

/// `3,5-9%2]`: what follows the bracket.
fn ranges(tasks: &str) -> Tasks {
    let tasks = tasks.trim_end_matches(']');
    let (tasks, _width) = tasks.split_once('%').unwrap_or((tasks, ""));
    let range = |part: &str| -> Option<RangeInclusive<u32>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    tasks.split(',').filter_map(range).collect()
}

/// `exit code:signal`.
fn ending(text: &str) -> Ending {
    let (code, signal) = text.split_once(':').unwrap_or((text, "0"));
    match (code.parse(), signal.parse()) {
        (_, Ok(signal)) if signal > 0 => Ending::Signal(signal),
        (Ok(code), _) => Ending::Exit(code),
        _ => Ending::Unseen,
    }
}

/// `1234K`, `1.50G`, `0`: each unit is 1024 times the one before.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match &text[digits.len()..] {
        "" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    // Far below 2^53.
    Some((number * 1024_f64.powi(power)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Slurm 22.05 printed it; the memory is of another site.
    const CAPTURED: &str = "\
2_0|COMPLETED|0:0||1795260438|p1234-damnit
2_0.batch|COMPLETED|0:0|1536K|1795260438|batch
2_0.extern|COMPLETED|0:0|1.5M|1795260438|extern
2_1|FAILED|1:0||1795260438|p1234-damnit
2_1.batch|FAILED|1:0||1795260438|batch
11|FAILED|0:9||1795260443|r7-p1234-damnit
11.batch|CANCELLED|0:9|||batch
12|CANCELLED by 0|0:0||1795260444|r8-p1234-damnit
12|RUNNING|0:0||1795269999|r9-p1234-damnit
2_[3,5-9%2]|CANCELLED by 0|0:0||1795260438|p1234-damnit
";

    #[test]
    fn a_job_has_its_end_and_the_memory_of_its_largest_step() {
        let records = Records::read(CAPTURED);
        let first = records
            .find("2_0", "p1234-damnit", 1_795_260_438.2, None)
            .unwrap();
        assert_eq!(first.ending, Ending::Exit(0));
        assert_eq!(first.peak_memory, Some(1536 << 10));
        let failed = records
            .find("2_1", "p1234-damnit", 1_795_260_438.0, None)
            .unwrap();
        assert_eq!((failed.ending, failed.peak_memory), (Ending::Exit(1), None));
        let killed = records
            .find("11", "r7-p1234-damnit", 1_795_260_443.0, None)
            .unwrap();
        assert_eq!(killed.ending, Ending::Signal(9));
    }

    #[test]
    fn tasks_that_never_began_are_told_apart() {
        let records = Records::read(CAPTURED);
        let cancelled: Vec<u32> = (3..12)
            .filter(|task| {
                records
                    .find(&format!("2_{task}"), "p1234-damnit", 0.0, None)
                    .is_some()
            })
            .collect();
        assert_eq!(cancelled, [3, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_line_that_stands_for_billions_of_tasks_takes_no_more_memory_than_another() {
        let records = Records::read("2_[0-4294967295]|CANCELLED by 0|0:0||1795260438|p1234-damnit");
        assert!(
            records
                .find("2_4294967295", "p1234-damnit", 0.0, None)
                .is_some()
        );
        assert!(records.find("2", "p1234-damnit", 0.0, None).is_none());
    }

    #[test]
    fn a_number_that_was_used_again_is_another_job() {
        let records = Records::read(CAPTURED);
        let find = |name, submitted_at| records.find("12", name, submitted_at, Some("55aa"));
        assert!(
            find("r8-p1234-damnit", 1_795_260_444.0)
                .unwrap()
                .is_closed()
        );
        assert!(
            !find("r9-p1234-damnit", 1_795_269_999.0)
                .unwrap()
                .is_closed()
        );
        assert_eq!(find("r7-p1234-damnit", 1_795_260_444.0), None);
        // That name and number, long before.
        assert_eq!(find("r8-p1234-damnit", 1_795_269_999.0), None);
    }

    #[test]
    fn tasks_of_arrays_with_the_same_number_are_told_apart_by_their_submissions() {
        let line = "8_3|COMPLETED|0:0||1795260438|p1234-damnit|sbatch --comment 77aa --array 0-3%4";
        let records = Records::read(line);
        let find = |token| records.find("8_3", "p1234-damnit", 1_795_260_431.0, Some(token));
        assert!(find("77aa").is_some());
        // Slurm had forgotten it when it gave its number to the other one.
        assert_eq!(find("55aa"), None);
    }
}
