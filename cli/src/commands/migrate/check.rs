//! `migrate --check`.

use std::path::Path;

use runledger_storage::migrate::{self, Plan, Problem};
use serde_json::json;

use crate::failure::{Failure, Result};

/// Says what the database in `dir` is, what would be done, and what is wrong with it.
pub(super) fn run(dir: &Path, as_json: bool) -> Result {
    let plan = match migrate::plan(dir) {
        // Whoever has it locked is not waited for twice.
        Err(error) if error.is_transient() => return Err(error.into()),
        plan => plan,
    };
    let problems = migrate::check(dir)?;
    // Of a damaged file perhaps not even the format can be told.
    match (plan, as_json) {
        (Ok(plan), true) => std::println!("{:#}", as_object(&plan, &problems)),
        (Ok(plan), false) if plan.steps.is_empty() && !problems.is_empty() => {
            println!("{} has format {}.", plan.path.display(), plan.format);
        }
        (Ok(plan), false) => tell(&plan),
        (Err(error), _) if problems.is_empty() => return Err(error.into()),
        (Err(_), true) => std::println!("{:#}", json!({ "problems": texts(&problems) })),
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
