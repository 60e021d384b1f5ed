//! What the launcher of a sandbox is told on its command line.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{data, owners};
use crate::{Job, Part, Settings};

/// What the launcher is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) parts: Vec<Part>,
    pub(crate) network: bool,
    pub(crate) read: Vec<PathBuf>,
    /// The proposal's data.
    pub(crate) data: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    /// Folders in which names may be looked up.
    pub(crate) listed: Vec<PathBuf>,
    /// Has a folder for the job's own files, and one for its view of the file system.
    pub(crate) folder: PathBuf,
    /// The user's home, which no Python makes readable as a whole.
    pub(crate) home: Option<PathBuf>,
    /// The numbers of user and group, before there was a namespace.
    pub(crate) owner: Option<(u32, u32)>,
}

impl Order {
    /// For a job, whose files are in `folder`.
    pub(crate) fn of(settings: &Settings, job: &Job, folder: &Path) -> Self {
        let mut read = settings_paths(&settings.read, job);
        if job.database_dir.is_absolute() {
            read.push(job.database_dir.clone());
        }
        Self {
            parts: settings.parts.clone(),
            network: settings.network,
            read,
            data: data(job, &owners(job)),
            write: settings_paths(&settings.write, job),
            listed: job.data_root.clone().into_iter().collect(),
            folder: folder.into(),
            home: std::env::var_os("HOME").map(PathBuf::from),
            owner: None,
        }
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// The job's own files, as they are called outside.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Where its view of the file system is put together.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The job's own files, as they are called inside.
    pub(crate) fn temporary(&self) -> PathBuf {
        let usual = Path::new("/tmp");
        // What lies in it could be written like it.
        let is_free = !self.data.iter().any(|place| place.starts_with(usual));
        match self.has(Part::Namespaces) && is_free {
            true => usual.into(),
            false => self.files(),
        }
    }
}

fn settings_paths(given: &[String], job: &Job) -> Vec<PathBuf> {
    let whole = |path: &String| match path.strip_prefix("{proposal}") {
        None => Some(PathBuf::from(path)),
        Some(rest) => {
            let proposal = job.proposal_dir.as_ref()?;
            Some(proposal.join(rest.trim_start_matches('/')))
        }
    };
    given.iter().filter_map(whole).collect()
}
