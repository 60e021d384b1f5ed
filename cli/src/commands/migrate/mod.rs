//! `migrate`: old databases.

mod check;
mod convert;
mod crew;
mod progress;
mod report;
mod restore;
mod stragglers;

use std::path::Path;

use runledger_storage::migrate::{self, Format, LATEST, PATIENCE, Plan, Step};

use crate::arguments::{Migrate, Past};
use crate::failure::{Failure, Result};

/// Does what is asked with the database in `dir`.
pub(super) fn run(dir: &Path, asked: &Migrate) -> Result {
    if let Some(copy) = &asked.restore {
        return restore::run(dir, copy.as_deref(), asked.yes);
    }
    if asked.check {
        return check::run(dir, asked.json);
    }
    match (&asked.past, asked.to) {
        (Some(Past::Wide), _) => convert::run(dir, Format::Wide, asked.dry_run),
        (Some(Past::Intermediate), _) => convert::run(dir, Format::Intermediate, asked.dry_run),
        (Some(Past::Worker { task, from }), _) => crew::work(dir, *task, *from),
        (None, Some(to)) if to != LATEST => Err(Failure::usage(format!(
            "a database can be brought to format {LATEST} only, not {to}"
        ))
        .hint("`--restore` goes back to a copy of an older format, if there is one")),
        _ => to_latest(dir, asked.dry_run),
    }
}

fn to_latest(dir: &Path, dry_run: bool) -> Result {
    let plan = migrate::plan(dir)?;
    match plan.format {
        Format::Numbered(LATEST) => match stragglers::past_of(dir)? {
            Some(from) => stragglers::run(dir, from, dry_run),
            None => {
                print_plan(&plan);
                Ok(())
            }
        },
        Format::Numbered(_) if dry_run => {
            print_plan(&plan);
            plan.make_sure_of_writing()?;
            println!("Nothing was changed.");
            Ok(())
        }
        Format::Numbered(_) => upgrade(dir, &plan),
        format => convert::run(dir, format, dry_run),
    }
}

fn upgrade(dir: &Path, plan: &Plan) -> Result {
    let done = migrate::upgrade(dir, PATIENCE)?;
    if done.steps.is_empty() {
        // Another program was faster.
        print_plan(&migrate::plan(dir)?);
        return Ok(());
    }
    println!(
        "{} had format {} and has v{LATEST} now: {}.",
        plan.path.display(),
        plan.format,
        titles(&done.steps)
    );
    if let Some(copy) = done.copy {
        println!(
            "It is kept as it was in {}; remove that when you are content.",
            copy.display()
        );
    }
    Ok(())
}

fn print_plan(plan: &Plan) {
    let path = plan.path.display();
    if plan.steps.is_empty() {
        println!("{path} has format {}: nothing is to be done.", plan.format);
        return;
    }
    println!(
        "{path} has format {}; to be done: {}.",
        plan.format,
        titles(&plan.steps)
    );
    if let Some(copy) = &plan.copy {
        println!("It would be kept as it is in {}.", copy.display());
    }
}

/// `→ v3 tags, → v4 unused tags go`.
fn titles(steps: &[Step]) -> String {
    let titles: Vec<String> = steps
        .iter()
        .map(|step| format!("→ v{} {}", step.version, step.title))
        .collect();
    titles.join(", ")
}
