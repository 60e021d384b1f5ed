//! Puts the embedded Python runtime where an interpreter can read it.
//!
//! The folder is kept from job to job, so that Python finds its compiled files again. Its name is the
//! hash of its content: two versions of this program do not meet.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use tempfile::TempDir;

use crate::error::{Error, Result};

macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../python/", $path)))),*]
    };
}

/// Path below the folder, and content.
const FILES: &[(&str, &str)] = embedded![
    "damnit_ctx.py",
    "runledger_worker.py",
    "runledger_runtime/__init__.py",
    "runledger_runtime/arguments.py",
    "runledger_runtime/arrays.py",
    "runledger_runtime/cell.py",
    "runledger_runtime/channel.py",
    "runledger_runtime/collection.py",
    "runledger_runtime/context_file.py",
    "runledger_runtime/declaration.py",
    "runledger_runtime/default_pipeline.py",
    "runledger_runtime/encoding.py",
    "runledger_runtime/evaluation.py",
    "runledger_runtime/execution.py",
    "runledger_runtime/failures.py",
    "runledger_runtime/figures.py",
    "runledger_runtime/graph.py",
    "runledger_runtime/group.py",
    "runledger_runtime/group_class.py",
    "runledger_runtime/group_links.py",
    "runledger_runtime/group_names.py",
    "runledger_runtime/group_variables.py",
    "runledger_runtime/handover.py",
    "runledger_runtime/import_names.py",
    "runledger_runtime/imported.py",
    "runledger_runtime/keeper.py",
    "runledger_runtime/job.py",
    "runledger_runtime/log.py",
    "runledger_runtime/netcdf.py",
    "runledger_runtime/opening.py",
    "runledger_runtime/parallel.py",
    "runledger_runtime/pipeline.py",
    "runledger_runtime/pipeline_context.py",
    "runledger_runtime/pipeline_variables.py",
    "runledger_runtime/reporting.py",
    "runledger_runtime/results.py",
    "runledger_runtime/submission.py",
    "runledger_runtime/summary.py",
    "runledger_runtime/variable.py",
    "runledger_runtime/warm.py",
    "runledger_runtime/worker.py",
];

/// The unpacked runtime.
#[derive(Debug)]
pub enum Runtime {
    /// In the user's cache; stays.
    Kept(PathBuf),
    /// In a folder of its own; goes with this value.
    Temporary(TempDir),
}

impl Runtime {
    /// The folder of the runtime in the user's cache, which stays: for `PYTHONPATH`.
    ///
    /// # Errors
    /// [`Error::Unpack`]: the cache cannot be used, or somebody else can write to it.
    pub fn kept() -> Result<PathBuf> {
        let cache = user_cache().ok_or_else(|| Error::Unpack {
            folder: PathBuf::from("~/.cache"),
            source: io::Error::other("neither XDG_CACHE_HOME nor HOME is the path of a folder"),
        })?;
        kept_in(&cache).map_err(|source| Error::Unpack {
            folder: cache,
            source,
        })
    }

    /// The runtime in the user's cache (`$XDG_CACHE_HOME`, else `~/.cache`), or in a temporary folder
    /// where the cache cannot be used or trusted.
    pub fn unpacked() -> Result<Self> {
        match cache().and_then(|cache| kept_in(&cache)) {
            Ok(folder) => return Ok(Self::Kept(folder)),
            Err(why) => tracing::debug!("the runtime is not kept: {why}"),
        }
        let unpack = |source| Error::Unpack {
            folder: std::env::temp_dir(),
            source,
        };
        let folder = TempDir::with_prefix("runledger-runtime-").map_err(unpack)?;
        write_into(folder.path()).map_err(unpack)?;
        Ok(Self::Temporary(folder))
    }

    /// The script that an interpreter is to run.
    pub fn script(&self) -> PathBuf {
        let folder = match self {
            Self::Kept(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        };
        folder.join("runledger_worker.py")
    }
}

fn user_cache() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let base = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
    base.is_absolute().then(|| base.join("runledger"))
}

/// The user's cache, made where there is none, that nobody else can write.
pub(crate) fn cache() -> io::Result<PathBuf> {
    let cache = user_cache().ok_or_else(|| io::Error::other("the user has no cache folder"))?;
    private_folder(&cache)?;
    Ok(cache)
}

/// Makes a folder that only this user can enter, or checks that nobody else can write there.
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    check_owner(folder)
}

fn kept_in(cache: &Path) -> io::Result<PathBuf> {
    private_folder(cache)?;
    let folder = cache.join(format!("runtime-{:016x}", content_hash()));
    if !folder.exists() {
        move_into_place(cache, &folder)?;
    }
    check_owner(&folder)?;
    check_content(&folder)?;
    Ok(folder)
}

/// Composes the folder beside its place, so that nobody sees half of it.
fn move_into_place(cache: &Path, folder: &Path) -> io::Result<()> {
    let fresh = TempDir::with_prefix_in("unpacking-", cache)?;
    write_into(fresh.path())?;
    match fs::rename(fresh.path(), folder) {
        Ok(()) => {
            // It has moved: there is nothing to remove.
            let _ = fresh.keep();
            Ok(())
        }
        // Another job was faster.
        Err(_) if folder.exists() => Ok(()),
        Err(why) => Err(why),
    }
}

/// Code that somebody else can write must not run under our name.
fn check_owner(folder: &Path) -> io::Result<()> {
    let about = fs::symlink_metadata(folder)?;
    let ours =
        about.is_dir() && about.uid() == Uid::effective().as_raw() && about.mode() & 0o022 == 0;
    if ours {
        return Ok(());
    }
    let why = format!("{} can be written by others", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn check_content(folder: &Path) -> io::Result<()> {
    for (path, content) in FILES {
        if fs::read_to_string(folder.join(path))? != *content {
            let why = format!("{path} has been changed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
    }
    Ok(())
}

fn write_into(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("runledger_runtime"))?;
    FILES
        .iter()
        .try_for_each(|(path, content)| fs::write(folder.join(path), content))
}

fn content_hash() -> u64 {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_file_of_the_runtime_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        let listed = |below: &str| {
            let entries = fs::read_dir(folder.join(below)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let files = names.filter(|name| name.ends_with(".py"));
            files
                .map(|name| format!("{below}{name}"))
                .collect::<Vec<_>>()
        };
        let present: BTreeSet<String> = [listed(""), listed("runledger_runtime/")]
            .concat()
            .into_iter()
            .collect();
        let embedded: BTreeSet<String> = FILES.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(present, embedded);
    }

    #[test]
    fn the_runtime_is_unpacked_once_and_found_again() {
        let cache = TempDir::new().unwrap();
        let first = kept_in(cache.path()).unwrap();
        fs::create_dir(first.join("__pycache__")).unwrap();
        assert_eq!(kept_in(cache.path()).unwrap(), first);
        assert!(first.join("__pycache__").exists());
    }

    #[test]
    fn a_changed_file_is_not_trusted() {
        let cache = TempDir::new().unwrap();
        let folder = kept_in(cache.path()).unwrap();
        fs::write(folder.join("damnit_ctx.py"), "print('mine')").unwrap();
        assert!(kept_in(cache.path()).is_err());
    }

    #[test]
    fn a_folder_that_others_can_write_is_not_trusted() {
        let cache = TempDir::new().unwrap();
        fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let why = kept_in(cache.path()).unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::PermissionDenied);
    }
}
