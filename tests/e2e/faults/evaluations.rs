//! What the context file has written down about its evaluations.

use std::path::Path;

/// One evaluation, as the context file tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluation {
    pub(crate) job: String,
    pub(crate) attempt: u32,
    pub(crate) process: u32,
    /// How often Slurm had begun this job again by itself.
    pub(crate) restarts: u64,
    /// Slurm's number of it.
    pub(crate) in_slurm: String,
    /// What it came to; None: it was interrupted.
    pub(crate) energy: Option<f64>,
}

/// Those that began, in this order; a second line of one has what it came to.
pub(crate) fn evaluations(dir: &Path) -> Vec<Evaluation> {
    let text = std::fs::read_to_string(dir.join("evaluations")).unwrap_or_default();
    let mut all: Vec<Evaluation> = Vec::new();
    for line in text.lines() {
        let new = evaluation(line);
        let is_begun = |one: &&mut Evaluation| {
            one.energy.is_none() && one.process == new.process && one.job == new.job
        };
        match all.iter_mut().find(is_begun) {
            Some(begun) => *begun = new,
            None => all.push(new),
        }
    }
    all
}

fn evaluation(line: &str) -> Evaluation {
    let line: serde_json::Value = serde_json::from_str(line).expect("a line that is JSON");
    let text = |key: &str| line[key].as_str().expect("a text").to_owned();
    let number = |key: &str| line[key].as_u64().expect("a number");
    let small = |key: &str| u32::try_from(number(key)).expect("a small number");
    Evaluation {
        job: text("job"),
        attempt: small("attempt"),
        process: small("process"),
        restarts: number("restarts"),
        in_slurm: text("in_slurm"),
        energy: line["energy"].as_f64(),
    }
}
