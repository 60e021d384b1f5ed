//! A fragment that cannot be read: it goes out of the way of the others, and people hear of it.

use std::io::Write;
use std::path::{Path, PathBuf};

use runledger_context::run::RunData;
use runledger_storage::fragment::{self, Fragment};
use tracing::{error, warn};

use crate::job::{Job, Request};
use crate::queue::open_log;

/// Sets a fragment aside and says so in the log of its run. Returns where it is then, and why.
pub(super) fn set_aside(database_dir: &Path, fragment: &Fragment, why: &str) -> (PathBuf, String) {
    let run = fragment.run;
    let place = match fragment::set_aside(fragment, why) {
        Ok(place) => place,
        Err(also) => {
            let file = fragment.path.display();
            error!(%run, "{file} cannot be read ({why}) nor set aside ({also})");
            return (fragment.path.clone(), why.to_owned());
        }
    };
    let file = place.display();
    error!(%run, "a fragment cannot be read and is set aside as {file}: {why}");
    let line = format!(
        "\nResults of this run cannot be read and are not in the table: {why}\n\
         They are kept as {file}; `runledger reprocess {}` evaluates the run again.\n",
        run.number.0
    );
    tell(database_dir, fragment, &line);
    (place, why.to_owned())
}

fn tell(database_dir: &Path, fragment: &Fragment, line: &str) {
    let run = fragment.run;
    // All that the log asks for is the run.
    let job = Job::new(run, RunData::All, database_dir.into(), Request::default());
    let written = open_log(&job).map(|mut log| log.write_all(line.as_bytes()));
    if !matches!(written, Ok(Ok(()))) {
        warn!(%run, "its log cannot be written");
    }
}
