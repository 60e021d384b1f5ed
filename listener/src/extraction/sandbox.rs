//! What a job's sandbox depends on: its proposal and its run.

use runledger_context::run::{Proposal, RunNumber};
use runledger_sandbox::{Enclosure, Job as Enclosed};
use runledger_storage::Database;
use runledger_storage::database::SettingValue;

use super::ExtractionSettings;
use crate::Result;
use crate::job::Job;
use crate::proposals::Proposals;

/// The sandbox of a job.
pub(super) fn of_job(job: &Job, settings: &ExtractionSettings) -> Result<Enclosure> {
    let enclosed = Enclosed {
        database_dir: job.database_dir.clone(),
        run_folder: Some(run_folder(settings, job.run.number)),
        ..of_proposal(Some(job.run.proposal), settings)
    };
    Ok(Enclosure::of(&settings.sandbox, &enclosed)?)
}

/// The sandbox in which a database's context file is read.
pub(super) fn of_database(db: &Database, settings: &ExtractionSettings) -> Result<Enclosure> {
    let proposal = match db.setting("proposal")? {
        Some(SettingValue::Integer(number)) => u32::try_from(number).ok().map(Proposal),
        _ => None,
    };
    let enclosed = Enclosed {
        database_dir: db.dir().to_path_buf(),
        ..of_proposal(proposal, settings)
    };
    Ok(Enclosure::of(&settings.sandbox, &enclosed)?)
}

fn of_proposal(proposal: Option<Proposal>, settings: &ExtractionSettings) -> Enclosed {
    // To search for it takes a while where there are many.
    let wanted = proposal.filter(|_| settings.sandbox.is_on());
    Enclosed {
        proposal: proposal.map(|proposal| proposal.0),
        data_root: Some(settings.data.root.clone()),
        proposal_dir: wanted.and_then(|wanted| Proposals::new(settings.data.clone()).find(wanted)),
        ..Enclosed::default()
    }
}

/// How a run's folder is called in each part of the data.
fn run_folder(settings: &ExtractionSettings, run: RunNumber) -> String {
    let name = settings.data.run.rsplit('/').next().unwrap_or_default();
    name.replace("{run:04}", &format!("{:04}", run.0))
        .replace("{run}", &run.0.to_string())
}
