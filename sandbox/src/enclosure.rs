//! The sandbox of one job: the words before its Python, what is different in its environment, and its own folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::order::Order;
use crate::{Error, Result, Settings, Wrapper, environment};

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
        let order = Order::of(settings, job, scratch.path())?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

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
