//! What it came to, in one line.

use std::fmt;
use std::time::Duration;

use runledger_tests::Vitals;

use crate::books::Books;
use crate::stage::{Stage, Victim};

/// Files that may be open for a while: connections, a merge that has just begun.
const FILES_THAT_COME_AND_GO: usize = 20;

/// What listener and combiner (with its workers) had of the machine, at rest: once warm, and at the end.
#[derive(Debug)]
pub(crate) struct Ageing {
    young: [Vitals; 2],
    old: [Vitals; 2],
}

impl Ageing {
    pub(crate) fn from_to(young: [Vitals; 2], old: [Vitals; 2]) -> Self {
        Self { young, old }
    }

    fn pairs(&self) -> impl Iterator<Item = (&Vitals, &Vitals)> {
        self.young.iter().zip(&self.old)
    }

    /// Whether anybody has become half as large again, or holds more files.
    fn leaks(&self) -> bool {
        let leaks = |(young, old): (&Vitals, &Vitals)| {
            old.memory > young.memory * 3 / 2 + 10
                || old.files > young.files + FILES_THAT_COME_AND_GO
        };
        self.pairs().any(leaks)
    }
}

impl fmt::Display for Ageing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (who, (young, old)) in ["listener", "combiner"].iter().zip(self.pairs()) {
            let (Vitals { memory, files }, old_files) = (young, old.files);
            write!(
                f,
                "; {who} {memory} MB → {} MB, {files} → {old_files} open files",
                old.memory
            )?;
        }
        Ok(())
    }
}

/// The figures of one test.
#[derive(Debug)]
pub(crate) struct Outcome {
    parts: &'static str,
    took: Duration,
    events: u32,
    jobs: u32,
    blows: Vec<Victim>,
    lost: usize,
    doubled: usize,
    failed: usize,
    repeated: usize,
    ageing: Ageing,
    reads: String,
}

impl Outcome {
    pub(crate) fn of(
        stage: &Stage<'_>,
        books: &Books,
        took: Duration,
        ageing: Ageing,
        reads: &str,
    ) -> Self {
        let (lost, doubled) = books.lost_and_doubled(stage.announced);
        Self {
            parts: stage.parts(),
            took,
            events: stage.events(),
            jobs: stage.announced,
            blows: stage.blows.clone(),
            lost,
            doubled,
            failed: books.failed().len(),
            repeated: books.repeated(),
            ageing,
            reads: reads.to_owned(),
        }
    }

    pub(crate) fn leaks(&self) -> bool {
        self.ageing.leaks()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {:.1} min: {} events, {} jobs, {} faults ({}), lost {}, doubled {}, {} ended because they were \
             killed, {} evaluations begun again{}; {} of run files",
            self.parts,
            self.took.as_secs_f64() / 60.0,
            self.events,
            self.jobs,
            self.blows.len(),
            counts(&self.blows),
            self.lost,
            self.doubled,
            self.failed,
            self.repeated,
            self.ageing,
            self.reads,
        )
    }
}

/// How often each was struck: `listener 3, job 4`.
fn counts(blows: &[Victim]) -> String {
    let count = |victim| blows.iter().filter(|blow| **blow == victim).count();
    let counts = Victim::ALL.map(|victim| (victim, count(victim)));
    let there = counts.iter().filter(|(_, count)| *count > 0);
    let words = there.map(|(victim, count)| format!("{victim:?} {count}").to_lowercase());
    words.collect::<Vec<_>>().join(", ")
}
