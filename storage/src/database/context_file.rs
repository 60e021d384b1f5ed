//! The context file of a new database: whole or not there, since one that is there stays as it is.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use runledger_steps::{Step, reached};

use crate::results_dir;
use crate::sharing::share_file;

/// Gives a folder a file that everybody who can use the folder may edit. False where something has its name already,
/// which stays as it is.
///
/// # Errors
/// The system's.
pub fn add_context_file(path: &Path, content: &[u8]) -> io::Result<bool> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new()
        .prefix(".context-")
        .suffix(".py")
        .tempfile_in(dir)?;
    draft.write_all(content)?;
    share_file(draft.path())?;
    draft.as_file().sync_all()?;
    reached(Step::ContextDrafted);
    match draft.persist_noclobber(path) {
        Ok(_) => {
            reached(Step::ContextNamed);
            results_dir::sync_folder_of(path).map(|()| true)
        }
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(refused) => Err(refused.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_whole_open_to_all_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("context.py");
        assert!(add_context_file(&path, b"# new").unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"# new");
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_stays_also_if_it_is_a_link_that_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("context.py"), dir.path().join("linked.py"));
        std::fs::write(&file, "# old").unwrap();
        std::os::unix::fs::symlink("/nowhere/context.py", &link).unwrap();
        for path in [&file, &link] {
            assert!(!add_context_file(path, b"# new").unwrap());
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"# old");
        assert!(link.is_symlink());
    }
}
