//! `db-config`, `proposal`, `new-id`.

use std::path::Path;

use runledger_context::run::Proposal;
use runledger_storage::{CellValue, Database, Error};

use super::key_value::{self, Settings};
use crate::arguments::KeyValue;
use crate::failure::{Failure, Result};

impl Settings for Database {
    fn what(&self) -> String {
        self.path().display().to_string()
    }

    fn all(&self) -> Result<Vec<(String, CellValue)>> {
        Ok(self.settings()?)
    }

    fn set(&mut self, key: &str, value: CellValue) -> Result {
        match key {
            // As a number, whatever the user says: everything else reads one.
            "proposal" => Ok(self.set_proposal(number(&value)?)?),
            _ => Ok(self.set_setting(key, &value)?),
        }
    }

    fn delete(&mut self, key: &str) -> Result<bool> {
        Ok(self.delete_setting(key)?)
    }
}

fn number(value: &CellValue) -> Result<Proposal> {
    let number = match value {
        CellValue::Integer(number) => u32::try_from(*number).ok(),
        CellValue::Text(text) => text.parse().ok(),
        _ => None,
    };
    number
        .map(Proposal)
        .ok_or_else(|| Failure::usage("proposal is a proposal's number, such as 1234"))
}

/// Shows or changes settings of the database in `dir`.
pub(super) fn settings(dir: &Path, change: &KeyValue) -> Result {
    key_value::run(&mut Database::open(dir)?, change)
}

/// Shows or sets the proposal of the database in `dir`.
pub(super) fn proposal(dir: &Path, new: Option<u32>) -> Result {
    let mut db = Database::open(dir)?;
    let now = match db.proposal() {
        // It is mended by this.
        Err(Error::BadProposal { .. }) if new.is_some() => None,
        now => now?.map(|proposal| proposal.0),
    };
    let shown = now.map_or("not set".to_owned(), |number| number.to_string());
    match new {
        None => println!("Current proposal number: {shown}"),
        Some(new) if Some(new) == now => println!("No change: the proposal is {new} already"),
        Some(new) => {
            db.set_proposal(Proposal(new))?;
            println!("The proposal is {new} now (it was {shown})");
        }
    }
    Ok(())
}

/// Gives the database in `dir` a new identity.
pub(super) fn new_id(dir: &Path) -> Result {
    let mut db = Database::open(dir)?;
    db.new_id()?;
    println!(
        "{} has the new identity {}",
        db.path().display(),
        db.db_id()
    );
    Ok(())
}
