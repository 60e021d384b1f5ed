//! A ledger's file, where there is none: everybody can write it before SQLite opens it.
//!
//! SQLite gives the log and its index beside a database the mode that this has when it makes them, and keeps them for as
//! long as somebody has it open: others could not write the ledger until then.

use std::io;
use std::path::Path;

use runledger_storage::sharing;

/// Makes an empty file that everybody can write, if nothing is there. It has its name last, and is not open any more then:
/// to close it later would drop SQLite's locks on it.
pub(super) fn make_sure_of(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let draft = tempfile::Builder::new()
        .prefix(".ledger-")
        .suffix(".sqlite")
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?
        .into_temp_path();
    sharing::share_file(&draft)?;
    Ok(draft.persist_noclobber(path)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::ledger::Ledger;

    #[test]
    fn others_can_write_a_new_ledger_also_while_it_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        let files = dir.path().read_dir().unwrap().map(Result::unwrap);
        for file in files {
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o666, 0o666, "{file:?}: {mode:o}");
        }
        drop(ledger);
    }
}
