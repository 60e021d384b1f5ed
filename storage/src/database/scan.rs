//! All cells in the order in which they lie in the file, the two halves of a large file at once.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::draft::Draft;

/// Fewer cells are read by one thread.
const MANY: i64 = 20_000;

/// How to read the cells of a database.
pub(super) struct Scan<'a> {
    /// The database file.
    pub(super) path: &'a Path,
    /// Whether its cells have attributes.
    pub(super) attributes: bool,
    /// How many bytes of the file a connection may look at in place.
    pub(super) mapped: i64,
}

impl Scan<'_> {
    /// Puts all cells into `draft`. `conn` is in a transaction and has read something: until that ends nobody can
    /// change the file, so that what a second connection reads is of the same state.
    pub(super) fn all(&self, conn: &Connection, mut draft: Draft) -> rusqlite::Result<Draft> {
        let ends = "SELECT coalesce(min(rowid), 0), coalesce(max(rowid), 0) FROM run_variables";
        let (first, last): (i64, i64) =
            conn.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if last - first < MANY || !keeps_writers_out(conn)? {
            self.put(conn, first, last, &mut draft)?;
            return Ok(draft);
        }
        let middle = first + (last - first) / 2;
        let second = draft.alike();
        let halves = thread::scope(|scope| {
            let second = scope.spawn(|| self.apart(middle + 1, last, second));
            self.put(conn, first, middle, &mut draft)?;
            // A thread that panicked has no half either.
            Ok::<_, rusqlite::Error>(second.join().ok().and_then(Result::ok))
        })?;
        match halves {
            Some(half) => draft.absorb(half),
            None => self.put(conn, middle + 1, last, &mut draft)?,
        }
        Ok(draft)
    }

    /// With a connection of its own, which does not wait: a writer that waits for us keeps new readers out.
    fn apart(&self, first: i64, last: i64, mut draft: Draft) -> rusqlite::Result<Draft> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = runledger_migrations::connect(self.path, flags)?;
        conn.busy_timeout(Duration::ZERO)?;
        conn.pragma_update(None, "mmap_size", self.mapped)?;
        self.put(&conn, first, last, &mut draft)?;
        Ok(draft)
    }

    fn put(
        &self,
        conn: &Connection,
        first: i64,
        last: i64,
        draft: &mut Draft,
    ) -> rusqlite::Result<()> {
        let attributes = if self.attributes {
            "attributes"
        } else {
            "NULL"
        };
        // Bytes longer than a complex number are known by their type alone. What is no cell of a run is left out by
        // the draft, which sees the values' types anyway.
        let query = format!(
            "SELECT proposal, run, name,
                    CASE WHEN typeof(value) = 'blob' AND length(value) > 16 THEN x'' ELSE value END,
                    summary_type, {attributes}
             FROM run_variables WHERE rowid BETWEEN ?1 AND ?2"
        );
        let mut statement = conn.prepare(&query)?;
        let mut cells = statement.query([first, last])?;
        while let Some(row) = cells.next()? {
            draft.put(row)?;
        }
        Ok(())
    }
}

/// With a write-ahead log, readers see what was there when each began.
fn keeps_writers_out(conn: &Connection) -> rusqlite::Result<bool> {
    let mode: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(mode != "wal")
}

#[cfg(test)]
mod tests {
    use runledger_context::run::Proposal;

    use super::super::{Database, Shown};

    /// 100 runs of 300 variables, and one that only the last run has.
    const CELLS: &str = "
        WITH RECURSIVE r(run) AS (SELECT 1 UNION ALL SELECT run + 1 FROM r WHERE run < 100),
             v(at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM v WHERE at < 299)
        INSERT INTO run_variables (proposal, run, name, version, value)
            SELECT 1, run, 'v' || at, 1, run * 1000 + at FROM r, v;
        INSERT INTO run_info (proposal, run) SELECT DISTINCT proposal, run FROM run_variables;
        INSERT INTO run_variables (proposal, run, name, version, value)
            VALUES (1, 100, 'extra', 1, 5), (1, 1, 'comment', 1, 'first'), (1, 100, 'comment', 1, 'last');";

    #[test]
    fn both_halves_of_a_large_table_are_read_by_one_thread_if_need_be() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path(), Proposal(1)).unwrap();
        database.conn.execute_batch(CELLS).unwrap();
        let names = "INSERT INTO variables (name) SELECT name FROM run_variables WHERE run = 1 AND name LIKE 'v%' ORDER BY rowid";
        database.conn.execute_batch(names).unwrap();
        let table = database.table(None).unwrap();
        assert_eq!((table.rows.len(), table.columns.len()), (100, 301));
        for (at, row) in table.rows.iter().enumerate() {
            let shown = row.cells.iter().flatten().map(|cell| cell.shown.clone());
            let run = i64::try_from(at).unwrap() + 1;
            let wanted = (0..300)
                .map(|at| run * 1000 + at)
                .chain((run == 100).then_some(5));
            assert!(shown.eq(wanted.map(Shown::Integer)), "run {run}");
        }
        let comments = [0, 99].map(|at| table.rows[at].comment.as_deref());
        assert_eq!(comments, [Some("first"), Some("last")]);
        // Nobody can open it a second time any more.
        std::fs::remove_file(database.path()).unwrap();
        assert_eq!(database.table(None).unwrap(), table);
    }
}
