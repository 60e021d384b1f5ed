//! What is told of run files that are, or would be, converted.

use runledger_context::run::RunId;
use runledger_storage::migrate::Survey;

/// So many runs are named one by one.
const NAMED: usize = 20;

/// What there is to change, and what stays as it is.
pub(super) fn findings<'a>(
    surveys: impl IntoIterator<Item = (&'a RunId, &'a Survey)>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (run, survey) in surveys {
        lines.extend(changes(survey).map(|changes| format!("{run}: {changes}")));
        for (variable, why) in &survey.kept {
            lines.push(format!("{run}: {variable} stays as it is: {why}"));
        }
    }
    lines
}

fn changes(survey: &Survey) -> Option<String> {
    let types: Vec<String> = survey.types.keys().cloned().collect();
    let parts = [
        ("labelled as NetCDF-4", &survey.arrays),
        ("drawn as thumbnails", &survey.pictures),
        ("typed anew", &types),
    ];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts
        .map(|(what, names)| format!("{what}: {}", names.join(", ")))
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Runs in a sentence; of many, the first.
pub(super) fn runs(runs: &[RunId]) -> String {
    let named: Vec<String> = runs.iter().take(NAMED).map(ToString::to_string).collect();
    match runs.len() > NAMED {
        true => format!("{}, … ({} in all)", named.join(", "), runs.len()),
        false => named.join(", "),
    }
}

/// So many run files, with the verb that belongs to one or to several.
pub(super) fn files(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("one run file {one}"),
        count => format!("{count} run files {several}"),
    }
}
