//! Whose links are followed on the way to what a job may read or write: who owns a link says where it leads.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User, geteuid};
use serde::{Deserialize, Serialize};

use crate::trail::{Astray, Links, follow};
use crate::{Error, Job, Result};

/// Those whose links are followed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Trust {
    owners: Vec<u32>,
    /// One of them.
    account: u32,
    /// Folders that jobs write: there the account's links may be those of an earlier job.
    written: Vec<PathBuf>,
}

impl Trust {
    /// Root, this account, and whoever has the folder above all proposals.
    pub(crate) fn of(job: &Job) -> Self {
        let root = job.data_root.as_ref().and_then(|root| root.metadata().ok());
        let account = geteuid().as_raw();
        let known = [0, account].into_iter();
        Self {
            owners: known.chain(root.map(|root| root.uid())).collect(),
            account,
            written: Vec::new(),
        }
    }

    /// The same where jobs write these folders.
    pub(crate) fn where_written(self, written: Vec<PathBuf>) -> Self {
        Self { written, ..self }
    }

    /// Where a path leads; None: it is not there, or would be everything. The links on its way are added to `links`.
    ///
    /// # Errors
    /// [`Error::Link`], [`Error::Place`].
    pub(crate) fn leads(&self, path: &Path, links: &mut Links) -> Result<Option<PathBuf>> {
        match follow(path, |folder, owner| self.holds(folder, owner), links) {
            Ok(place) => Ok(place.path.parent().is_some().then_some(place.path)),
            Err(Astray::System(why)) if is_absent(&why) => Ok(None),
            Err(Astray::System(source)) => Err(Error::Place {
                path: path.into(),
                source,
            }),
            Err(Astray::Link { link, owner }) => Err(Error::Link {
                path: path.into(),
                why: self.why_not(owner),
                link,
            }),
        }
    }

    fn holds(&self, folder: &Path, owner: u32) -> bool {
        let is_of_a_job =
            owner == self.account && self.written.iter().any(|place| folder.starts_with(place));
        // In a wrapper's namespace root may be nobody that we know.
        let is_of_the_system = folder.parent().is_none();
        is_of_the_system || self.owners.contains(&owner) && !is_of_a_job
    }

    fn why_not(&self, owner: u32) -> String {
        match self.owners.contains(&owner) {
            true => "context files may have made it, as `[sandbox] write` lets them write its folder; name what it leads to"
                .into(),
            false => format!(
                "it belongs to {}, who can let it lead anywhere; name what it leads to, or have root own it (`chown -h root`)",
                name(owner)
            ),
        }
    }
}

pub(crate) fn is_absent(why: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        why.kind(),
        E::NotFound | E::NotADirectory | E::PermissionDenied
    )
}

fn name(owner: u32) -> String {
    let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
    user.map_or_else(|| format!("user {owner}"), |user| user.name)
}

#[cfg(test)]
impl Trust {
    /// Nobody else.
    pub(crate) fn in_user(owner: u32) -> Self {
        Self {
            owners: vec![owner],
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with a link `link` to `/etc`.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        symlink("/etc", path.join("link")).unwrap();
        (folder, path)
    }

    #[test]
    fn a_link_of_somebody_else_is_refused_by_name_with_what_to_do() {
        let (_folder, path) = folder();
        let link = path.join("link");
        let found = |trust: &Trust| trust.leads(&link, &mut Links::new());
        let ours = found(&Trust::of(&Job::default()));
        assert_eq!(ours.unwrap(), Some("/etc".into()));
        let refused = found(&Trust::in_user(12345)).unwrap_err().to_string();
        for word in [link.to_str().unwrap(), "belongs to", "chown -h"] {
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }

    #[test]
    fn a_link_of_our_own_counts_only_where_no_job_can_have_made_it() {
        let (_folder, path) = folder();
        let found = |written: PathBuf| {
            let trust = Trust::of(&Job::default()).where_written(vec![written]);
            trust.leads(&path.join("link"), &mut Links::new())
        };
        assert_eq!(found(path.join("scratch")).unwrap(), Some("/etc".into()));
        for written in [path.clone(), path.parent().unwrap().into()] {
            let refused = found(written).unwrap_err().to_string();
            assert!(refused.contains("context files may"), "{refused}");
        }
    }

    #[test]
    fn what_is_not_there_leads_nowhere_and_neither_does_everything() {
        let (_folder, path) = folder();
        symlink("/", path.join("all")).unwrap();
        let trust = Trust::of(&Job::default());
        for name in ["missing", "link/passwd/on", "all"] {
            let found = trust.leads(&path.join(name), &mut Links::new());
            assert_eq!(found.unwrap(), None, "{name}");
        }
    }
}
