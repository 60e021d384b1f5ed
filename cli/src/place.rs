//! Which folder a user means by a proposal number or a path.

use std::io;
use std::path::{Component, Path, PathBuf};

use runledger_context::run::Proposal;
use runledger_listener::proposals::Proposals;

use crate::arguments::Place;
use crate::config::Config;
use crate::failure::{Failure, Result};

/// The usual database folder of a proposal, whether or not it is there yet.
pub(crate) fn usual_folder(proposal: Proposal, config: &Config) -> Result<PathBuf> {
    let mut proposals = Proposals::new(config.data.clone());
    match proposals.find(proposal) {
        Some(folder) => Ok(folder.join(&config.data.database)),
        None => Err(Failure::new(format!(
            "proposal {} has no folder below {}",
            proposal.0,
            config.data.root.display()
        ))
        .hint("give the database's folder instead, or set `data.root` or XFEL_DATA_ROOT")),
    }
}

/// An existing folder, given by its path or by a proposal's number.
pub(crate) fn existing(proposal_or_dir: &str, config: &Config) -> Result<PathBuf> {
    let path = Path::new(proposal_or_dir);
    if path.is_dir() {
        return absolute(path);
    }
    match proposal_or_dir.parse() {
        Ok(number) => usual_folder(Proposal(number), config),
        Err(_) => Err(Failure::usage(format!(
            "{proposal_or_dir} is neither a proposal number nor an existing folder"
        ))),
    }
}

/// The folder that `--in` names, or else the one at work.
pub(crate) fn within(asked: &Place, here: &Path, config: &Config) -> Result<PathBuf> {
    match &asked.within {
        Some(within) => existing(within, config),
        None => Ok(here.to_path_buf()),
    }
}

/// The same place, independent of the working directory, whether or not it is there yet. Links stay as they are, unless
/// the way leads up again (`..`).
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    let leads_up = path.components().any(|part| part == Component::ParentDir);
    let found = match leads_up {
        true => resolved(path),
        false => std::path::absolute(path),
    };
    found.map_err(|e| Failure::new(format!("{} is no usable path: {e}", path.display())))
}

/// The way as the system goes it, as far as there is one. Behind its end there are only names: nobody can go up from a
/// folder that is not there.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let missing = match path.canonicalize() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => e,
        found => return found,
    };
    let (parent, name) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !path.is_symlink() => (parent, name),
        _ => return Err(missing),
    };
    let parent = match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    };
    Ok(resolved(parent)?.join(name))
}

/// The folder at work.
pub(crate) fn here() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| {
        Failure::new(format!("the current folder is gone or closed to you: {e}"))
            .hint("cd to another")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_up_may_lead_to_what_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("site/deep")).unwrap();
        std::os::unix::fs::symlink(top.join("site/deep"), top.join("link")).unwrap();
        let found = |path: &str| absolute(&top.join(path)).ok();
        assert_eq!(found("site/../db"), Some(top.join("db")));
        assert_eq!(found("site/../new/db"), Some(top.join("new/db")));
        assert_eq!(found("link/../db"), Some(top.join("site/db")));
        assert_eq!(found("site/deep/.."), Some(top.join("site")));
        // The system finds nothing there, either.
        assert_eq!(found("missing/../db"), None);
    }
}
