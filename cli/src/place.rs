//! Which folder a user means by a proposal number or a path.

use std::io;
use std::path::{Component, Path, PathBuf};

use runledger_context::run::Proposal;
use runledger_listener::listener_db::{FILE_NAME, ListenerDb};
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
    let Some(within) = &asked.within else {
        return Ok(here.to_path_buf());
    };
    match watched(within, here)? {
        Some(dir) => Ok(dir),
        None => existing(within, config),
    }
}

/// The database that the listener at work watches for a proposal: it may be anywhere, and the usual place may have none.
fn watched(asked: &str, listener: &Path) -> Result<Option<PathBuf>> {
    let number = asked.parse().ok().map(Proposal);
    let number = number.filter(|_| !Path::new(asked).is_dir());
    let (Some(number), true) = (number, listener.join(FILE_NAME).is_file()) else {
        return Ok(None);
    };
    let sites = ListenerDb::open(listener)?.sites()?;
    let of_number = sites.into_iter().filter(|site| site.proposal == number);
    let dirs: Vec<PathBuf> = of_number.map(|site| site.database_dir).collect();
    match dirs.len() {
        0 | 1 => Ok(dirs.into_iter().next()),
        n => Err(several(number, n, &dirs)),
    }
}

fn several(proposal: Proposal, count: usize, dirs: &[PathBuf]) -> Failure {
    let list: String = dirs
        .iter()
        .map(|dir| format!("\n  {}", dir.display()))
        .collect();
    Failure::new(format!(
        "{count} databases are watched here for proposal {}:{list}",
        proposal.0
    ))
    .hint("give the folder of one: --in DIR")
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
    use runledger_listener::plan::Site;
    use runledger_listener::settings::Profile;

    use super::*;

    fn watch(listener: &Path, proposal: u32, dir: &Path) {
        let site = Site {
            proposal: Proposal(proposal),
            database_dir: dir.to_path_buf(),
            official: false,
        };
        assert!(ListenerDb::open(listener).unwrap().watch(&site).unwrap());
    }

    #[test]
    fn in_a_listeners_folder_a_number_means_the_database_that_it_watches() {
        let top = tempfile::tempdir().unwrap();
        let (root, listener) = (top.path().join("root"), top.path().join("listener"));
        let usual = root.join("SPB/202602/p002222");
        std::fs::create_dir_all(&usual).unwrap();
        std::fs::create_dir(&listener).unwrap();
        let mut config = Config::of(Profile::Maxwell);
        config.data.root = root;
        let place = Place {
            within: Some("2222".into()),
        };
        let found = || within(&place, &listener, &config);
        // Nothing is watched, and looking makes no listener's database.
        assert_eq!(found().unwrap(), usual.join("usr/Shared/amore"));
        assert!(!listener.join(FILE_NAME).exists());

        let (one, other) = (top.path().join("one"), top.path().join("other"));
        watch(&listener, 1111, &other);
        assert_eq!(found().unwrap(), usual.join("usr/Shared/amore"));
        watch(&listener, 2222, &one);
        assert_eq!(found().unwrap(), one);
        watch(&listener, 2222, &top.path().join("second"));
        let refused = found().unwrap_err().to_string();
        assert!(refused.contains("/one") && refused.contains("/second"));
        assert!(!refused.contains("/other"), "{refused}");
    }

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
