//! The books of one run: inbox, ledger, table, run file, folder and messages have to agree.

use std::collections::BTreeMap;

use runledger_context::run::RunId;
use runledger_listener::ledger::{Entry, Ledger, State};
use runledger_storage::{CellValue, fragment, run_file};
use runledger_tests::{Clients, Site};
use rusqlite::{Connection, OpenFlags};

use crate::stop::{names_in, until};

/// The run of all scenarios.
pub(crate) const RUN: u32 = 7;

/// Two variables, which write down that they are evaluated.
pub(crate) const CONTEXT: &str = r#"
from damnit_ctx import Variable

def write_down(name):
    with open("evaluated", "a") as books:
        books.write(name + "\n")

@Variable()
def energy(run):
    write_down("energy")
    return 1.5

@Variable()
def charge(run, energy: "var#energy"):
    write_down("charge")
    return 2 * energy
"#;

/// What they come to.
pub(crate) const VALUES: [(&str, f64); 2] = [("energy", 1.5), ("charge", 3.0)];

pub(crate) fn run() -> RunId {
    RunId::new(1234, RUN)
}

/// How often each variable was evaluated.
pub(crate) fn evaluated(site: &Site) -> BTreeMap<String, usize> {
    let books = std::fs::read_to_string(site.db().join("evaluated")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in books.lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// Values in the run's file; none where there is no file.
///
/// # Panics
/// It cannot be read.
pub(crate) fn in_file(site: &Site) -> BTreeMap<String, f64> {
    let path = run_file::path(&site.db(), run());
    if !path.is_file() {
        return BTreeMap::new();
    }
    // As a fragment, the file tells the same of its variables.
    let rows = fragment::summaries(&path)
        .expect("a file that can be read")
        .rows;
    let value = |(name, row): (String, runledger_storage::Row)| match row.value {
        CellValue::Real(value) => Some((name, value)),
        _ => None,
    };
    rows.into_iter().filter_map(value).collect()
}

/// Values in the table.
pub(crate) fn in_table(site: &Site) -> BTreeMap<String, f64> {
    let table = site.table();
    let sql = "SELECT name, value FROM run_variables WHERE run = ?1 AND typeof(value) = 'real'";
    let mut rows = table.prepare(sql).expect("the table");
    let rows = rows.query_map([RUN], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.and_then(Iterator::collect).expect("values")
}

/// The jobs of the ledger; none where there is no ledger.
pub(crate) fn jobs(site: &Site) -> Vec<Entry> {
    match site.db().join("ledger.sqlite").is_file() {
        true => Ledger::open(&site.db())
            .and_then(|ledger| ledger.jobs())
            .expect("jobs"),
        false => Vec::new(),
    }
}

/// What has to be so at the end.
pub(crate) struct Books<'a> {
    site: &'a Site,
    clients: Option<Clients>,
}

impl<'a> Books<'a> {
    /// From now on the clients listen, too, if there is a broker.
    pub(crate) fn of(site: &'a Site) -> Self {
        let clients = (site.broker_address != "none").then(|| Clients::of(site));
        Self { site, clients }
    }

    /// Waits until nothing is left to do, and these runs' values are told of.
    pub(crate) fn close(&self, is_valued: bool, explain: impl Fn() -> String) {
        until("the books are closed", explain, || {
            self.inbox_is_empty()?;
            self.ledger_is_closed()?;
            self.nothing_is_left()?;
            self.clients_know(is_valued)
        });
    }

    fn inbox_is_empty(&self) -> Result<(), String> {
        let path = self.site.listener().join("listener.sqlite");
        if !path.is_file() {
            return Ok(());
        }
        let inbox = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let sql = "SELECT count(*) FROM inbox WHERE done_at IS NULL";
        let left = inbox.and_then(|inbox| inbox.query_row(sql, [], |row| row.get::<_, u32>(0)));
        // There may be no such table yet.
        is(left == Ok(0), || format!("the inbox has {left:?}"))
    }

    fn ledger_is_closed(&self) -> Result<(), String> {
        let ledger = Ledger::open(&self.site.db()).map_err(|why| why.to_string())?;
        let jobs = ledger.jobs().map_err(|why| why.to_string())?;
        let mut open = ledger.open_attempts().map_err(|why| why.to_string())?;
        // There is no Slurm that could say how its processes ended.
        open.retain(|open| open.attempt.queue != "slurm" || open.attempt.ended_at.is_none());
        let waits = ledger.has_waiting_messages();
        is(jobs.iter().all(|job| job.state.is_final()), || {
            format!("{jobs:#?}")
        })?;
        is(open.is_empty(), || format!("{open:#?}"))?;
        is(waits.is_ok_and(|waits| !waits), || {
            "the outbox is not empty".into()
        })
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        let db = self.site.db();
        let is_left = |name: &String| *name != format!("p1234_r{RUN}.h5") && name != ".merging";
        let mut left = names_in(&db.join("extracted_data"));
        left.retain(is_left);
        left.extend(
            names_in(&db)
                .into_iter()
                .filter(|name| name.ends_with(".draft")),
        );
        is(left.is_empty(), || format!("left over: {left:?}"))
    }

    fn clients_know(&self, is_valued: bool) -> Result<(), String> {
        let Some(clients) = &self.clients else {
            return Ok(());
        };
        let told = clients.told();
        let jobs = jobs(self.site);
        let is_missing = |job: &&Entry| !told.ended.contains(&job.job.processing_id);
        let missing: Vec<&Entry> = jobs.iter().filter(is_missing).collect();
        is(missing.is_empty(), || {
            format!("nobody heard of the end of {missing:#?}")
        })?;
        is(!is_valued || told.runs.contains(&RUN), || {
            "nobody heard of the values".into()
        })
    }

    /// There is one job, in one of these states.
    pub(crate) fn have_one_job(&self, states: &[State]) {
        let jobs = jobs(self.site);
        assert_eq!(jobs.len(), 1, "{jobs:#?}");
        assert!(states.contains(&jobs[0].state), "{jobs:#?}");
    }

    /// Table and file have both values, as they were computed, and each once.
    pub(crate) fn have_all_values(&self) {
        let all: BTreeMap<String, f64> = VALUES.map(|(name, value)| (name.into(), value)).into();
        assert_eq!(
            (in_table(self.site), in_file(self.site)),
            (all.clone(), all)
        );
        let rows = format!("SELECT count(*) FROM run_variables WHERE run = {RUN}");
        assert_eq!(self.site.number(&rows), Some(2.0));
        assert_eq!(self.site.number("SELECT count(*) FROM run_info"), Some(1.0));
    }

    /// What was saved before somebody died, and nothing else.
    pub(crate) fn have_no_wrong_value(&self, needed: &[&str]) {
        let all: BTreeMap<String, f64> = VALUES.map(|(name, value)| (name.into(), value)).into();
        let found = in_table(self.site);
        assert_eq!(found, in_file(self.site));
        let is_right = |(name, value): (&String, &f64)| all.get(name) == Some(value);
        assert!(found.iter().all(is_right), "{found:?}");
        assert!(
            needed.iter().all(|name| found.contains_key(*name)),
            "{found:?}"
        );
    }
}

fn is(so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    so.then_some(()).ok_or_else(otherwise)
}
