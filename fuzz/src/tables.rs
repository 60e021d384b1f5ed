//! SQLite files: the table of runs, which other programs write, and our ledger beside it.

use std::path::Path;

use runledger_listener::ledger::Ledger;
use runledger_storage::Database;

/// `runs.sqlite`, looked at as `runledger table` does.
pub(crate) fn table(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("runs.sqlite"), bytes).expect("a file");
    let Ok(database) = Database::open(folder.path()) else {
        return;
    };
    if let Ok(table) = database.table(None) {
        let cells = table.rows.iter().flat_map(|row| &row.cells).flatten();
        cells.for_each(|cell| drop(cell.shown.to_string()));
    }
}

/// `ledger.sqlite`, looked at as `runledger jobs` and the listener do.
pub(crate) fn ledger(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ledger.sqlite"), bytes).expect("a file");
    let _ = read_ledger(folder.path());
}

fn read_ledger(folder: &Path) -> runledger_listener::Result<()> {
    let ledger = Ledger::open(folder)?;
    for entry in ledger.jobs()? {
        let _ = ledger.attempts(&entry.job.processing_id);
        let _ = ledger.merged_after(entry.job.run, 0.0);
    }
    let _ = ledger.all_attempts();
    let _ = ledger.open_attempts();
    let _ = ledger.unfinished();
    let _ = ledger.waiting_messages();
    Ok(())
}
