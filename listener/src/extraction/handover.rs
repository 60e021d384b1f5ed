//! What a job leaves for the one that follows from it, so that nothing is evaluated twice: values in files, which
//! the users' Python writes and reads, in a folder with the later job's identity.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use runledger_context::manifest::Manifest;
use runledger_context::run::RunData;
use runledger_context::worker::Handed;
use runledger_steps::{Step, reached};
use runledger_storage::folder::Folder;
use runledger_storage::sharing;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::job::Job;

/// Written last: what is in the folder, and of which state it is.
const CONTENTS: &str = "contents.json";
/// What nobody has fetched by then has no job any more that would.
const OLDEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The values that are handed over to one job.
pub(super) struct Handover(PathBuf);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    /// Digest of the context file.
    context: String,
    /// The part of the run's data.
    data: RunData,
    /// Variable → its file and how long that is.
    values: BTreeMap<String, (String, u64)>,
}

impl Handover {
    /// What waits, or will wait, for a job.
    pub(super) fn to(job: &Job) -> Self {
        Self(place(&job.database_dir).join(job.file_name()))
    }

    /// Makes room for values of `names`. None where that is not possible: the later job evaluates all that it needs.
    pub(super) fn begin(&self, names: Vec<String>) -> Option<Handed> {
        if let Err(why) = self.make() {
            warn!(
                "{}: nothing can be handed over there: {why}",
                self.0.display()
            );
            return None;
        }
        Some(Handed {
            folder: self.0.clone(),
            names,
        })
    }

    /// Everybody's jobs have their folders there; what is in one only this account's Python has to read.
    fn make(&self) -> io::Result<()> {
        let place = self.0.parent().unwrap_or(Path::new("."));
        make_folder(place)?;
        sharing::share_folder(place)?;
        let folder = Folder::open(place)?;
        forget_old(&folder);
        let own = folder.at(self.0.file_name().unwrap_or_default());
        make_folder(&own)?;
        match Folder::open(&own)?.is_ours()? {
            true => Ok(()),
            false => Err(io::Error::other("somebody else has made it")),
        }
    }

    /// All is there: from now on it counts.
    pub(super) fn complete(&self, manifest: &Manifest, data: RunData) {
        let write = || {
            let contents = Contents {
                context: manifest.digest.clone(),
                data,
                values: self.values()?,
            };
            let draft = self.0.join("contents.writing");
            fs::write(&draft, serde_json::to_vec(&contents)?)?;
            fs::File::open(&draft)?.sync_all()?;
            fs::rename(&draft, self.0.join(CONTENTS))?;
            reached(Step::HandedOver);
            io::Result::Ok(())
        };
        if let Err(why) = write() {
            warn!("{}: nothing is handed over: {why}", self.0.display());
            self.remove();
        }
    }

    /// The values that wait for this job, if they are of its state and as they were written.
    pub(super) fn waiting(&self, manifest: &Manifest, data: RunData) -> Option<BTreeSet<String>> {
        let text = fs::read(self.0.join(CONTENTS)).ok()?;
        let contents: Contents = serde_json::from_slice(&text).ok()?;
        let values = self.values().ok()?;
        let is_same = contents.context == manifest.digest && contents.data == data;
        (is_same && contents.values == values).then(|| values.into_keys().collect())
    }

    /// Of the values that wait here, those of `names`.
    pub(super) fn of(&self, names: Vec<String>) -> Handed {
        Handed {
            folder: self.0.clone(),
            names,
        }
    }

    /// Nobody needs it any more.
    pub(super) fn remove(&self) {
        let name = self.0.file_name().unwrap_or_default();
        match Folder::of(&self.0).and_then(|folder| fs::remove_dir_all(folder.at(name))) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                warn!("{} cannot be removed: {why}", self.0.display());
            }
            _ => reached(Step::ValuesTaken),
        }
    }

    fn values(&self) -> io::Result<BTreeMap<String, (String, u64)>> {
        let mut values = BTreeMap::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if let Some((name, "npy" | "txt")) = file.rsplit_once('.') {
                values.insert(name.to_owned(), (file.clone(), entry.metadata()?.len()));
            }
        }
        Ok(values)
    }
}

fn place(database_dir: &Path) -> PathBuf {
    database_dir.join("handed_over")
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Only in a folder that is known to be no link: what is removed elsewhere is lost.
fn forget_old(place: &Folder) {
    for entry in fs::read_dir(place.path()).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > OLDEST) {
            debug!("{} is too old", place.shown(&entry.path()).display());
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;
    use runledger_context::run::RunId;
    use std::time::SystemTime;

    fn job(database_dir: &Path) -> Job {
        let run = RunId::new(1234, 7);
        Job::new(run, RunData::Raw, database_dir.into(), Request::default())
    }

    fn manifest(digest: &str) -> Manifest {
        Manifest {
            digest: digest.into(),
            ..Manifest::default()
        }
    }

    #[test]
    fn values_count_for_the_same_state_only() {
        let folder = tempfile::tempdir().unwrap();
        let handover = Handover::to(&job(folder.path()));
        assert!(handover.waiting(&manifest("a"), RunData::Raw).is_none());
        let handed = handover.begin(vec!["det.mean".into()]).unwrap();
        fs::write(handed.folder.join("det.mean.npy"), "12345").unwrap();
        assert!(handover.waiting(&manifest("a"), RunData::Raw).is_none());
        handover.complete(&manifest("a"), RunData::Raw);
        let names = handover.waiting(&manifest("a"), RunData::Raw).unwrap();
        assert!(names.iter().eq(["det.mean"]));
        assert!(handover.waiting(&manifest("b"), RunData::Raw).is_none());
        assert!(handover.waiting(&manifest("a"), RunData::All).is_none());
        fs::write(handed.folder.join("det.mean.npy"), "12").unwrap();
        assert!(handover.waiting(&manifest("a"), RunData::Raw).is_none());
    }

    #[test]
    fn what_nobody_has_fetched_for_a_month_goes() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new, next] = [(); 3].map(|()| Handover::to(&job(folder.path())));
        for handover in [&old, &new] {
            handover.begin(Vec::new()).unwrap();
        }
        let then = SystemTime::now() - OLDEST - Duration::from_secs(60);
        fs::File::open(&old.0).unwrap().set_modified(then).unwrap();
        next.begin(Vec::new()).unwrap();
        assert!(!old.0.exists() && new.0.exists() && next.0.exists());
    }

    #[test]
    fn nothing_is_removed_where_a_link_leads() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let then = SystemTime::now() - OLDEST - Duration::from_secs(60);
        let mut job = job(folder.path());
        let precious = elsewhere.path().join(&job.processing_id);
        fs::create_dir(&precious).unwrap();
        let opened = fs::File::open(&precious).unwrap();
        opened.set_modified(then).unwrap();
        let link = folder.path().join("handed_over");
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        assert!(Handover::to(&job).begin(Vec::new()).is_none());
        Handover::to(&job).remove();
        assert!(precious.exists());
        // Nor where an identity leads that somebody wrote into the ledger.
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        let name = elsewhere.path().file_name().unwrap().to_string_lossy();
        job.processing_id = format!("../../{name}");
        Handover::to(&job).remove();
        assert!(precious.exists());
        assert!(!job.token(1).contains('/'));
    }
}
