//! A database that another program had locked is gone on with as soon as it is free, however long its notifications were to
//! rest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_storage::Database;

use super::Listener;
use crate::ledger::Ledger;
use crate::{Error, Result};

impl Listener {
    /// Looks whether locked databases are free now; that takes no time.
    pub(super) fn wake(&mut self) -> Result<()> {
        let locked = self.resting.locked().filter(|folder| is_free(folder));
        let free: Vec<PathBuf> = locked.map(Path::to_path_buf).collect();
        if free.is_empty() {
            return Ok(());
        }
        for folder in free {
            self.resting.answered(&folder);
            self.dispatch.look_at(&folder);
        }
        self.db.hurry()
    }
}

/// Whatever else may be wrong with it.
fn is_free(folder: &Path) -> bool {
    !try_both(folder).is_err_and(|why| why.is_lock())
}

fn try_both(folder: &Path) -> std::result::Result<(), Error> {
    Database::open_with_timeout(folder, Duration::ZERO)?.await_turn()?;
    Ledger::open_with_patience(folder, Duration::ZERO)?.await_turn()
}
