//! The sandbox of one job: the words before its Python, what is different in its environment, and its own folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::{Error, Part, Result, Settings, Wrapper, environment};

/// What a job is about, as far as its sandbox depends on that.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The proposal's number.
    pub proposal: Option<u32>,
    /// The folder above all proposals, in which programs search for one.
    pub data_root: Option<PathBuf>,
    /// The proposal's folder, where there is one.
    pub proposal_dir: Option<PathBuf>,
    /// The name that a run's folder has below `raw` and `proc`.
    pub run_folder: Option<String>,
    /// The database's folder.
    pub database_dir: PathBuf,
}

/// The folders of a proposal that have a folder for each run, and that users do not write.
const PARTS: [&str; 3] = ["proc", "raw", "red"];

/// How a job's Python is started in its sandbox.
#[derive(Debug, Clone, Default)]
pub struct Enclosure {
    /// A program and its arguments, before the command that they run; empty: there is no sandbox.
    pub words: Vec<OsString>,
    /// What the command's environment has beside what is there.
    pub environment: BTreeMap<String, String>,
    /// What it has not.
    pub hidden: Vec<OsString>,
    /// Whether the built-in sandbox is part of it.
    pub is_built_in: bool,
    /// The job's own files; they go with the last who has this value.
    pub scratch: Option<Arc<TempDir>>,
}

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

impl Enclosure {
    /// The sandbox that the settings demand.
    ///
    /// # Errors
    /// It cannot be had: then nothing may be run.
    pub fn of(settings: &Settings, job: &Job) -> Result<Self> {
        let mut enclosure = Self::default();
        if let Some(wrapper) = Wrapper::parse(&settings.wrapper)? {
            let proposal = job.proposal.ok_or(Error::NoProposal)?;
            let user = wrapper.user(proposal)?;
            tracing::info!("the sandbox's wrapper `{wrapper}` runs the context file as {user}");
            enclosure.words = wrapper.before(proposal);
        }
        if settings.is_on() {
            enclosure.build_in(settings, job)?;
        }
        Ok(enclosure)
    }

    fn build_in(&mut self, settings: &Settings, job: &Job) -> Result<()> {
        let scratch = scratch()?;
        let order = order(settings, job, scratch.path());
        let temporary = order.temporary().to_string_lossy().into_owned();
        let program = std::env::current_exe().map_err(Error::NoProgram)?;
        let text = serde_json::to_string(&order).map_err(|why| Error::Order(why.to_string()))?;
        self.words.push(program.into());
        self.words
            .extend(["sandbox", "enter", &text, "--"].map(OsString::from));
        for name in ["HOME", "TMPDIR"] {
            self.environment.insert(name.into(), temporary.clone());
        }
        self.hidden = environment::hidden(&settings.hide);
        self.is_built_in = true;
        self.scratch = Some(Arc::new(scratch));
        Ok(())
    }
}

fn scratch() -> Result<TempDir> {
    let make = || {
        let folder = TempDir::with_prefix("runledger-sandbox-")?;
        std::fs::create_dir(folder.path().join("files"))?;
        std::fs::create_dir(folder.path().join("root"))?;
        Ok(folder)
    };
    make().map_err(|source| Error::NoScratch {
        folder: std::env::temp_dir(),
        source,
    })
}

fn order(settings: &Settings, job: &Job, folder: &Path) -> Order {
    let mut read = settings_paths(&settings.read, job);
    if job.database_dir.is_absolute() {
        read.push(job.database_dir.clone());
    }
    Order {
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

/// The proposal's folder. What is a link in it, such as `raw`, may lie on another file system; and so may the run in it.
/// Links count only if they are of one of these owners: others could lead anywhere.
fn data(job: &Job, owners: &[u32]) -> Vec<PathBuf> {
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
fn owners(job: &Job) -> Vec<u32> {
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
    use crate::Mode;

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

    #[test]
    fn the_files_of_a_job_go_with_it() {
        let settings = Settings {
            mode: Mode::On,
            ..Settings::default()
        };
        let enclosure = Enclosure::of(&settings, &Job::default()).unwrap();
        let folder = enclosure.scratch.as_ref().unwrap().path().to_owned();
        assert!(folder.join("files").is_dir());
        drop(enclosure);
        assert!(!folder.exists());
    }

    #[test]
    fn a_wrapper_is_not_told_a_proposal_that_nobody_knows() {
        let settings = Settings {
            wrapper: "env".into(),
            ..Settings::default()
        };
        let enclosure = Enclosure::of(&settings, &Job::default());
        assert!(matches!(enclosure, Err(Error::NoProposal)), "{enclosure:?}");
    }
}
