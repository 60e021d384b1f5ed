//! Where a proposal's data is.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::Job;

/// The folders of a proposal that have a folder for each run, and that users do not write.
const PARTS: [&str; 3] = ["proc", "raw", "red"];

/// The proposal's folder. What is a link in it, such as `raw`, may lie on another file system; and so may the run in it.
/// Links count only if they are of one of these owners: others could lead anywhere.
pub(crate) fn data(job: &Job, owners: &[u32]) -> Vec<PathBuf> {
    let Some(proposal) = &job.proposal_dir else {
        return Vec::new();
    };
    let parts = std::fs::read_dir(proposal).into_iter().flatten().flatten();
    let parts = parts.map(|entry| entry.path());
    let runs = PARTS.into_iter().zip(job.run_folder.iter().cycle());
    let runs = runs.map(|(part, run)| proposal.join(part).join(run));
    let is_ours = |link: &PathBuf| {
        let about = link.symlink_metadata();
        about.is_ok_and(|about| about.is_symlink() && owners.contains(&about.uid()))
    };
    let links = parts.chain(runs).filter(is_ours);
    let places = links.filter_map(|link| link.canonicalize().ok());
    [proposal.clone()].into_iter().chain(places).collect()
}

/// Root, this account, and whoever has the folder above all proposals.
pub(crate) fn owners(job: &Job) -> Vec<u32> {
    let root = job.data_root.as_ref().and_then(|root| root.metadata().ok());
    let known = [0, nix::unistd::geteuid().as_raw()];
    known
        .into_iter()
        .chain(root.map(|root| root.uid()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_a_proposal_is_found_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let [proposal, far] = ["p1", "far"].map(|name| folder.path().join(name));
        for made in [proposal.join("proc"), far.join("raw"), far.join("r0007")] {
            std::fs::create_dir_all(made).unwrap();
        }
        std::os::unix::fs::symlink(far.join("raw"), proposal.join("raw")).unwrap();
        std::os::unix::fs::symlink(far.join("r0007"), proposal.join("proc/r0007")).unwrap();
        let job = Job {
            proposal_dir: Some(proposal.clone()),
            run_folder: Some("r0007".into()),
            ..Job::default()
        };
        let found = data(&job, &owners(&job));
        for needed in [far.join("raw"), far.join("r0007")] {
            let needed = needed.canonicalize().unwrap();
            assert!(found.contains(&needed), "{needed:?} is not in {found:?}");
        }
        assert_eq!(data(&job, &[12345]), [proposal]);
    }

    #[test]
    fn a_link_that_users_can_make_leads_nowhere() {
        let proposal = tempfile::tempdir().unwrap();
        std::fs::create_dir(proposal.path().join("scratch")).unwrap();
        std::os::unix::fs::symlink("/etc", proposal.path().join("scratch/r0007")).unwrap();
        let job = Job {
            proposal_dir: Some(proposal.path().into()),
            run_folder: Some("r0007".into()),
            ..Job::default()
        };
        assert_eq!(data(&job, &owners(&job)), [proposal.path()]);
    }
}
