//! Where a proposal's data is.

use std::path::{Path, PathBuf};

use crate::trail::Links;
use crate::trust::Trust;
use crate::{Job, Result};

/// The folders of a proposal that have a folder for each run, and that users do not write.
const PARTS: [&str; 3] = ["proc", "raw", "red"];

/// The proposal's folder. What is a link in it, such as `raw`, may lie on another file system; and so may the run in it.
/// Links of others than those that are trusted are left out there: they could lead anywhere.
pub(crate) fn data(job: &Job, trust: &Trust, links: &mut Links) -> Result<Vec<PathBuf>> {
    let Some(named) = &job.proposal_dir else {
        return Ok(Vec::new());
    };
    let Some(proposal) = trust.leads(named, links)? else {
        return Ok(Vec::new());
    };
    let mut places: Vec<PathBuf> = links_in(&proposal, job.run_folder.as_deref())
        .filter_map(|link| trust.leads(&link, links).ok().flatten())
        .collect();
    places.insert(0, proposal);
    Ok(places)
}

/// Those directly in the proposal's folder, and those that are the run.
fn links_in(proposal: &Path, run: Option<&str>) -> impl Iterator<Item = PathBuf> {
    let parts = std::fs::read_dir(proposal).into_iter().flatten().flatten();
    let parts = parts.map(|entry| entry.path());
    let runs = PARTS
        .into_iter()
        .filter_map(move |part| Some(proposal.join(part).join(run?)));
    parts.chain(runs).filter(|path| path.is_symlink())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn found(job: &Job, trust: &Trust) -> Vec<PathBuf> {
        data(job, trust, &mut Links::new()).unwrap()
    }

    fn job(proposal: &Path) -> Job {
        Job {
            proposal_dir: Some(proposal.into()),
            run_folder: Some("r0007".into()),
            ..Job::default()
        }
    }

    #[test]
    fn the_data_of_a_proposal_is_found_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let [proposal, far] = ["p1", "far"].map(|name| folder.join(name));
        for made in [proposal.join("proc"), far.join("raw"), far.join("r0007")] {
            std::fs::create_dir_all(made).unwrap();
        }
        symlink(far.join("raw"), proposal.join("raw")).unwrap();
        symlink(far.join("r0007"), proposal.join("proc/r0007")).unwrap();
        let job = job(&proposal);
        let trust = Trust::of(&job);
        assert_eq!(
            found(&job, &trust),
            [proposal.clone(), far.join("raw"), far.join("r0007")]
        );
        assert_eq!(
            found(&job, &Trust::in_user(12345)),
            std::slice::from_ref(&proposal)
        );
        // A job that writes the proposal's folder may have made them.
        let trust = trust.where_written(vec![proposal.clone()]);
        assert_eq!(found(&job, &trust), [proposal]);
    }

    #[test]
    fn a_link_that_users_can_make_leads_nowhere() {
        let proposal = tempfile::tempdir().unwrap();
        let proposal = proposal.path().canonicalize().unwrap();
        std::fs::create_dir(proposal.join("scratch")).unwrap();
        symlink("/etc", proposal.join("scratch/r0007")).unwrap();
        let job = job(&proposal);
        assert_eq!(found(&job, &Trust::of(&job)), [proposal]);
    }
}
