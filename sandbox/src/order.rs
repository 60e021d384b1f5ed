//! What the launcher of a sandbox is told on its command line.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::data;
use crate::database::{database, read_only};
use crate::trail::Links;
use crate::trust::Trust;
use crate::{Job, Part, Result, Settings};

/// What the launcher is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) parts: Vec<Part>,
    pub(crate) network: bool,
    /// This and the next two are where what is named leads, without a link on the way.
    pub(crate) read: Vec<PathBuf>,
    /// The proposal's data.
    pub(crate) data: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    /// The links on the ways there.
    pub(crate) links: Links,
    /// Whose links they may be.
    pub(crate) trust: Trust,
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
    ///
    /// # Errors
    /// A way leads over a link of somebody's who is not trusted, or context files could write the database's folder.
    pub(crate) fn of(settings: &Settings, job: &Job, folder: &Path) -> Result<Self> {
        let mut links = Links::new();
        let trust = Trust::of(job);
        let [read, write] = [&settings.read, &settings.write].map(|given| named(given, job));
        let written = all(&write, &trust, &mut links)?;
        let trust = trust.where_written(written);
        let [mut read, write] = [
            all(&read, &trust, &mut links)?,
            all(&write, &trust, &mut links)?,
        ];
        let database = database(job, &mut links);
        read_only(database.as_deref(), &write)?;
        read.extend(database);
        Ok(Self {
            parts: settings.parts.clone(),
            network: settings.network,
            read,
            data: data(job, &trust, &mut links)?,
            write,
            listed: job.data_root.clone().into_iter().collect(),
            folder: folder.into(),
            home: std::env::var_os("HOME").map(PathBuf::from),
            owner: None,
            links,
            trust,
        })
    }

    /// What a command needs may be read, too. Owners of links are known only before there are namespaces.
    ///
    /// # Errors
    /// [`Error::Link`], [`Error::Place`].
    pub(crate) fn let_read(&mut self, paths: &[PathBuf]) -> Result<()> {
        self.read.extend(all(paths, &self.trust, &mut self.links)?);
        Ok(())
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

/// What settings name; without what is in a proposal's folder where there is none.
fn named(given: &[String], job: &Job) -> Vec<PathBuf> {
    let whole = |path: &String| match path.strip_prefix("{proposal}") {
        None => Some(PathBuf::from(path)),
        Some(rest) => {
            let proposal = job.proposal_dir.as_ref()?;
            Some(proposal.join(rest.trim_start_matches('/')))
        }
    };
    given.iter().filter_map(whole).collect()
}

/// Where paths lead; what is not there is left out.
fn all(paths: &[PathBuf], trust: &Trust, links: &mut Links) -> Result<Vec<PathBuf>> {
    let places = paths.iter().map(|path| trust.leads(path, links));
    places.filter_map(Result::transpose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, places};
    use std::os::unix::fs::symlink;

    /// A proposal with `scratch` and `usr/db`, whose jobs write these.
    fn ordered(write: &[&str]) -> (tempfile::TempDir, Result<Order>) {
        let folder = tempfile::tempdir().unwrap();
        let proposal = folder.path().canonicalize().unwrap();
        for made in ["scratch", "usr/db", "far"] {
            std::fs::create_dir_all(proposal.join(made)).unwrap();
        }
        std::fs::write(proposal.join("usr/db/runs.sqlite"), "").unwrap();
        symlink("../far", proposal.join("scratch/link")).unwrap();
        symlink("scratch", proposal.join("near")).unwrap();
        let job = Job {
            database_dir: proposal.join("usr/db"),
            proposal_dir: Some(proposal),
            ..Job::default()
        };
        let settings = Settings {
            write: write.iter().map(|path| (*path).into()).collect(),
            ..Settings::default()
        };
        let order = Order::of(&settings, &job, folder.path());
        (folder, order)
    }

    #[test]
    fn it_names_where_the_settings_lead() {
        let (folder, order) = ordered(&["{proposal}/near", "{proposal}/missing"]);
        let (order, proposal) = (order.unwrap(), folder.path().canonicalize().unwrap());
        assert_eq!(order.write, [proposal.join("scratch")]);
        assert_eq!(order.read, [proposal.join("usr/db")]);
        assert!(order.links.contains_key(&proposal.join("near")));
        let (folder, order) = ordered(&["{proposal}/scratch/link"]);
        let far = folder.path().canonicalize().unwrap().join("far");
        assert_eq!(order.unwrap().write, [far]);
    }

    #[test]
    fn a_link_that_an_earlier_job_may_have_made_leads_nowhere() {
        let (_folder, order) = ordered(&["{proposal}/scratch/link", "{proposal}/near"]);
        let refused = order.unwrap_err();
        assert!(matches!(refused, Error::Link { .. }), "{refused}");
    }

    #[test]
    fn what_a_command_needs_is_not_reached_by_links_of_others_either() {
        let (folder, order) = ordered(&[]);
        let mut order = order.unwrap();
        let near = folder.path().canonicalize().unwrap().join("near");
        order.let_read(std::slice::from_ref(&near)).unwrap();
        assert!(order.read.contains(&near.with_file_name("scratch")));
        order.trust = Trust::in_user(12345);
        assert!(order.let_read(&[near]).is_err());
        // Those of the system, `/bin` for one, are.
        order.let_read(&places::of_command(&[], None)).unwrap();
    }

    #[test]
    fn a_folder_that_has_the_databases_in_it_is_not_written() {
        for above in ["{proposal}/usr", "{proposal}/usr/db"] {
            let refused = ordered(&[above]).1.unwrap_err();
            let is_named = matches!(refused, Error::DatabaseWritten { .. });
            assert!(is_named, "{above}: {refused}");
        }
    }
}
