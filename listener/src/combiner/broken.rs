//! A fragment that cannot be read: it goes out of the way of the others, and people hear of it: in the run's log, in the
//! cells of the variables that it names, and from `runledger jobs`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use runledger_context::run::RunData;
use runledger_context::value::{Failure, Outcome};
use runledger_storage::fragment::{self, Fragment, FragmentWriter, Summaries};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};
use uuid::Uuid;

use crate::Result;
use crate::job::{Job, Request};
use crate::ledger::Ledger;
use crate::queue::open_log;

/// The class of error in the cells of its variables.
const CLASS: &str = "UnreadableResults";

/// What could be read of a fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    /// What made it.
    provenance: String,
    /// The variables of which it has something.
    variables: Vec<String>,
}

impl From<&Summaries> for Named {
    fn from(summaries: &Summaries) -> Self {
        Self {
            provenance: summaries.provenance.clone(),
            variables: summaries
                .rows
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
        }
    }
}

/// A fragment that was to be set aside.
pub(super) struct Broken {
    /// Where it is now: where it was, if it could not be moved.
    pub(super) place: PathBuf,
    /// What takes its place: an error for each variable that it names.
    pub(super) substitute: Option<Fragment>,
}

/// Sets a fragment aside and says so; `named` is what could be read of it.
pub(super) fn set_aside(
    database_dir: &Path,
    fragment: &Fragment,
    why: &str,
    named: Option<Named>,
) -> Broken {
    let (run, modified) = (fragment.run, fragment.modified());
    let tell = |place: &Path| {
        let words = format!(
            "the results cannot be read, and are kept as {}: {why}",
            place.display()
        );
        tell_log(database_dir, fragment, &words);
        tell_ledger(database_dir, fragment, &words);
        tell_table(database_dir, fragment, &words, named, modified)
    };
    match fragment::set_aside(fragment, why, tell) {
        Ok((place, substitute)) => {
            let file = place.display();
            error!(
                proposal = run.proposal.0,
                run = run.number.0,
                "a fragment cannot be read and is set aside as {file}: {why}"
            );
            Broken { place, substitute }
        }
        Err(also) => {
            let file = fragment.path.display();
            error!(
                proposal = run.proposal.0,
                run = run.number.0,
                "{file} cannot be read ({why}) nor set aside ({also})"
            );
            Broken {
                place: fragment.path.clone(),
                substitute: None,
            }
        }
    }
}

fn tell_log(database_dir: &Path, fragment: &Fragment, words: &str) {
    let run = fragment.run;
    let line = format!(
        "\nSome of this run's results are not in the table: {words}\n\
         `runledger reprocess {}` evaluates the run again.\n",
        run.number.0
    );
    // All that the log asks for is the run.
    let job = Job::new(run, RunData::All, database_dir.into(), Request::default());
    let written = open_log(&job).map(|mut log| log.write_all(line.as_bytes()));
    if !matches!(written, Ok(Ok(()))) {
        warn!(
            proposal = run.proposal.0,
            run = run.number.0,
            "its log cannot be written"
        );
    }
}

/// The job whose results they were has not finished after all.
fn tell_ledger(database_dir: &Path, fragment: &Fragment, words: &str) {
    let told = Ledger::open(database_dir)
        .and_then(|ledger| ledger.came_to_nothing(fragment.token(), words));
    if let Err(why) = told {
        let run = fragment.run;
        warn!(
            proposal = run.proposal.0,
            run = run.number.0,
            "its job counts as finished: {why}"
        );
    }
}

/// None where no variable is known, or where the cells cannot say so.
fn tell_table(
    database_dir: &Path,
    fragment: &Fragment,
    words: &str,
    named: Option<Named>,
    modified: SystemTime,
) -> Option<Fragment> {
    let named = named.filter(|named| !named.variables.is_empty())?;
    let told = tell_cells(database_dir, fragment, words, &named, modified);
    told.inspect_err(|also| {
        warn!(
            proposal = fragment.run.proposal.0,
            run = fragment.run.number.0,
            "the cells of its variables do not say so: {also}"
        );
    })
    .ok()
}

/// A fragment as old as the broken one: what is newer has the last word.
fn tell_cells(
    database_dir: &Path,
    fragment: &Fragment,
    words: &str,
    named: &Named,
    modified: SystemTime,
) -> Result<Fragment> {
    let token = Uuid::new_v4().to_string();
    let mut writer = FragmentWriter::create(database_dir, fragment.run, &token, &named.provenance)?;
    let failure = Outcome::Failed(Failure {
        class: CLASS.into(),
        message: words.to_owned(),
    });
    for name in &named.variables {
        writer.save(name, &failure)?;
    }
    let path = writer.finish_as_old_as(modified)?;
    let run = fragment.run;
    Ok(Fragment { path, run })
}
