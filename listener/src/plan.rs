//! Which jobs follow from a notification: a plain decision about values.

use std::path::{Path, PathBuf};

use runledger_context::run::Proposal;

use crate::job::{Job, Request};
use crate::notification::Notification;

/// A database that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The proposal whose runs it wants.
    pub proposal: Proposal,
    /// Its folder.
    pub database_dir: PathBuf,
    /// Whether it is the proposal's usual one.
    pub official: bool,
}

/// What follows from a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A database to be watched from now on.
    pub register: Option<Site>,
    /// The jobs, with identities still to be given.
    pub jobs: Vec<Job>,
}

/// One job for each database of the proposal. `usual` is the proposal's own database, where it has one that is not
/// watched and the listener is to find such by itself.
pub fn plan(notification: &Notification, sites: &[Site], usual: Option<&Path>) -> Plan {
    let proposal = notification.run.proposal;
    let of_proposal = sites.iter().filter(|site| site.proposal == proposal);
    let mut dirs: Vec<&Path> = of_proposal
        .map(|site| site.database_dir.as_path())
        .collect();
    let new = usual.filter(|usual| !dirs.contains(usual));
    dirs.extend(new);
    let request = Request {
        update_variables: true,
        ..Request::default()
    };
    let job = |dir: &Path| {
        Job::new(
            notification.run,
            notification.data,
            dir.to_path_buf(),
            request.clone(),
        )
    };
    Plan {
        register: new.map(|dir| Site {
            proposal,
            database_dir: dir.to_path_buf(),
            official: true,
        }),
        jobs: dirs.into_iter().map(job).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_context::run::{RunData, RunId};

    fn site(proposal: u32, dir: &str) -> Site {
        Site {
            proposal: Proposal(proposal),
            database_dir: dir.into(),
            official: false,
        }
    }

    fn arrived(proposal: u32) -> Notification {
        Notification {
            run: RunId::new(proposal, 7),
            data: RunData::Proc,
        }
    }

    fn dirs(plan: &Plan) -> Vec<&str> {
        plan.jobs
            .iter()
            .map(|job| job.database_dir.to_str().unwrap())
            .collect()
    }

    #[test]
    fn every_database_of_the_proposal_gets_a_job_and_no_other() {
        let plan = plan(
            &arrived(1),
            &[site(1, "/a"), site(2, "/b"), site(1, "/c")],
            None,
        );
        assert_eq!(dirs(&plan), ["/a", "/c"]);
        assert!(
            plan.jobs
                .iter()
                .all(|job| job.data == RunData::Proc && job.request.update_variables)
        );
        assert_eq!(plan.register, None);
    }

    #[test]
    fn the_usual_database_is_taken_in_once() {
        let found = plan(&arrived(1), &[site(1, "/a")], Some(Path::new("/usual")));
        assert_eq!(dirs(&found), ["/a", "/usual"]);
        assert_eq!(found.register.map(|site| site.official), Some(true));
        let known = plan(&arrived(1), &[site(1, "/usual")], Some(Path::new("/usual")));
        assert_eq!((dirs(&known), &known.register), (vec!["/usual"], &None));
    }
}
