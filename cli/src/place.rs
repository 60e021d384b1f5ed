//! Which folder a user means by a proposal number or a path.

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

/// The same place, independent of the working directory. Links stay as they are, unless the way leads up again (`..`).
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    let leads_up = path.components().any(|part| part == Component::ParentDir);
    let found = match leads_up {
        true => path.canonicalize(),
        false => std::path::absolute(path),
    };
    found.map_err(|e| Failure::new(format!("{} is no usable path: {e}", path.display())))
}

/// The folder at work.
pub(crate) fn here() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| {
        Failure::new(format!("the current folder is gone or closed to you: {e}"))
            .hint("cd to another")
    })
}
