//! `listener …`: what is watched, and its settings.

use std::path::{Path, PathBuf};

use runledger_context::run::Proposal;
use runledger_listener::listener_db::ListenerDb;
use runledger_listener::plan::Site as Watched;
use runledger_storage::CellValue;
use serde_json::json;

use super::key_value::{self, Settings};
use super::{Site, letters};
use crate::arguments::Listener;
use crate::failure::{Failure, Result};
use crate::place;

/// Settings that are yes or no, stored as 1 and 0.
const FLAGS: [&str; 2] = ["static_mode", "allow_local_processing"];

impl Settings for ListenerDb {
    fn what(&self) -> String {
        self.path().display().to_string()
    }

    fn all(&self) -> Result<Vec<(String, CellValue)>> {
        Ok(self.settings()?)
    }

    fn set(&mut self, key: &str, value: CellValue) -> Result {
        let value = if FLAGS.contains(&key) {
            flag(key, &value)?
        } else {
            value
        };
        Ok(self.set_setting(key, &value)?)
    }

    fn delete(&mut self, key: &str) -> Result<bool> {
        Ok(self.delete_setting(key)?)
    }
}

fn flag(key: &str, value: &CellValue) -> Result<CellValue> {
    let word = match value {
        CellValue::Text(text) => text.to_ascii_lowercase(),
        CellValue::Integer(number) => number.to_string(),
        _ => String::new(),
    };
    match word.as_str() {
        "1" | "true" | "yes" | "on" => Ok(CellValue::Integer(1)),
        "0" | "false" | "no" | "off" => Ok(CellValue::Integer(0)),
        _ => Err(Failure::usage(format!("{key} is 0 or 1"))),
    }
}

/// Does what one of the `listener` commands asks for.
pub(super) fn run(here: &Path, what: Listener, site: &Site) -> Result {
    let mut db = ListenerDb::open(here)?;
    match what {
        Listener::Add { proposal, db_dir } => add(&mut db, Proposal(proposal), db_dir, site),
        Listener::Rm { db_dir } => remove(&mut db, &db_dir),
        Listener::Databases { json } => list(&db, json),
        Listener::Config(change) => key_value::run(&mut db, &change),
        Listener::DeadLetters {
            replay: Some(which),
            ..
        } => letters::replay(&mut db, which),
        Listener::DeadLetters { json, .. } => letters::dead(&db, json),
        Listener::Inbox { json } => letters::waiting(&db, json),
    }
}

fn add(db: &mut ListenerDb, proposal: Proposal, dir: Option<PathBuf>, site: &Site) -> Result {
    let usual = place::usual_folder(proposal, &site.config);
    let dir = match dir {
        Some(dir) => place::absolute(&dir)?,
        None => usual.as_ref().map_err(Clone::clone)?.clone(),
    };
    let watched = Watched {
        proposal,
        official: usual.is_ok_and(|usual| usual == dir),
        database_dir: dir.clone(),
    };
    if !db.watch(&watched)? {
        return Err(Failure::new(format!(
            "{} is watched already",
            dir.display()
        )));
    }
    println!("Watching {} for proposal {}", dir.display(), proposal.0);
    if !dir.join("runs.sqlite").is_file() {
        eprintln!("warning: there is no database yet; `runledger init` makes one");
    }
    Ok(())
}

fn remove(db: &mut ListenerDb, dir: &Path) -> Result {
    // As it was given, for a folder that was added under another name; and in full.
    let full = place::absolute(dir)?;
    if !db.unwatch(&full)? && !db.unwatch(dir)? {
        return Err(Failure::new(format!("{} is not watched", full.display()))
            .hint("`runledger listener databases` lists what is"));
    }
    println!("Not watching {} any more", full.display());
    Ok(())
}

fn list(db: &ListenerDb, as_json: bool) -> Result {
    let sites = db.sites()?;
    if as_json {
        let all: Vec<_> = sites
            .iter()
            .map(|site| json!({"proposal": site.proposal, "db_dir": site.database_dir, "official": site.official}))
            .collect();
        return print_json(&all);
    }
    for site in sites {
        let unofficial = if site.official { "" } else { " (unofficial)" };
        println!(
            "p{}: {}{unofficial}",
            site.proposal.0,
            site.database_dir.display()
        );
    }
    Ok(())
}

pub(super) fn print_json(all: &[serde_json::Value]) -> Result {
    println!(
        "{}",
        serde_json::to_string_pretty(all).map_err(Failure::new)?
    );
    Ok(())
}
