//! `migrate --check`.

use std::path::Path;

use runledger_storage::migrate::{self, Format, LATEST, Plan, Problem, Survey};
use serde_json::json;

use super::crew::Crew;
use super::stragglers;
use crate::arguments::Task;
use crate::failure::{Failure, Result};

/// Says what the database in `dir` is, what would be done, and what is wrong with it.
pub(super) fn run(dir: &Path, as_json: bool) -> Result {
    let plan = match migrate::plan(dir) {
        // Whoever has it locked is not waited for twice.
        Err(error) if error.is_transient() => return Err(error.into()),
        plan => plan,
    };
    let mut problems = migrate::check(dir)?;
    if let Ok(plan) = &plan {
        problems.extend(of_run_files(dir, plan.format)?);
    }
    // Of a damaged file perhaps not even the format can be told.
    match (plan, as_json) {
        (Ok(plan), true) => println_as_is!("{:#}", as_object(&plan, &problems)),
        (Ok(plan), false) if plan.steps.is_empty() && !problems.is_empty() => {
            println!("{} has format {}.", plan.path.display(), plan.format);
        }
        (Ok(plan), false) => tell(&plan),
        (Err(error), _) if problems.is_empty() => return Err(error.into()),
        (Err(_), true) => println_as_is!("{:#}", json!({ "problems": texts(&problems) })),
        (Err(_), false) => {}
    }
    if !as_json {
        for problem in &problems {
            println!("- {problem}");
        }
    }
    match problems.len() {
        0 if as_json => Ok(()),
        0 => {
            println!("Nothing is wrong with it.");
            Ok(())
        }
        1 => Err(Failure::new("one thing is wrong with the database")),
        count => Err(Failure::new(format!(
            "{count} things are wrong with the database"
        ))),
    }
}

/// What is wrong with the run files, each of which may take down whoever reads it.
fn of_run_files(dir: &Path, format: Format) -> Result<Vec<Problem>> {
    let past = match format {
        Format::Numbered(LATEST) => stragglers::past_of(dir)?,
        _ => None,
    };
    let format = past.unwrap_or(Format::Numbered(LATEST));
    let crew = Crew { dir, from: format };
    let answers = crew.each(&migrate::runs_with_files(dir)?, Task::Check)?;
    let problem = |(run, answer): (_, std::result::Result<Survey, String>)| match answer {
        Err(reason) => Some(Problem::UnreadableFile { run, reason }),
        Ok(found) if found.changes() => Some(Problem::OldFile { run, format }),
        Ok(_) => None,
    };
    Ok(answers.into_iter().filter_map(problem).collect())
}

fn tell(plan: &Plan) {
    super::print_plan(plan);
    if plan.make_sure_of_writing().is_err() {
        println!("It, or its folder, is read-only: nothing of that can be done.");
    }
}

fn as_object(plan: &Plan, problems: &[Problem]) -> serde_json::Value {
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| json!({ "version": step.version, "title": step.title }))
        .collect();
    json!({
        "database": plan.path, "format": plan.format.to_string(), "steps": steps, "copy": plan.copy,
        "writable": plan.writable,
        "problems": texts(problems),
    })
}

fn texts(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
