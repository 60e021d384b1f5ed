//! Sites whose database has a past format, and what is in its table afterwards.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::{Finished, Site, python};

impl Site {
    /// Without a broker, with a filled database of a past format and its run files: `0`, `intermediate`, or a number
    /// from 1 on.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn of_format(format: &str) -> Self {
        let site = Self::quiet();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/past/make.py");
        let mut make = Command::new(python());
        make.arg(script).arg(format).arg(site.db());
        Finished::of(&mut make).succeeded();
        site
    }

    /// Another one without a broker, with a copy of the database's folder, times included.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn copied(&self) -> Self {
        let copy = Self::quiet();
        let mut command = Command::new("cp");
        Finished::of(command.arg("-a").args([self.db(), copy.db()])).succeeded();
        copy
    }

    /// Every cell of a table of the present format, with all that is known of it.
    ///
    /// # Panics
    /// The table has another format.
    pub fn cells(&self) -> Vec<String> {
        let conn = Connection::open(self.db().join("runs.sqlite")).expect("the table");
        let query = "
            SELECT concat_ws('|', proposal, run, name, quote(value), timestamp, quote(max_diff), provenance,
                             summary_type, quote(summary_method), attributes)
            FROM run_variables ORDER BY proposal, run, name";
        let mut statement = conn.prepare(query).expect("a table of the present format");
        let cells = statement.query_map([], |row| row.get(0));
        let cells = cells.and_then(Iterator::collect);
        cells.expect("the cells of the table")
    }
}
