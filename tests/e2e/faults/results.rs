//! The results: the table, the run files and what the evaluations came to have to be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use runledger_tests::Site;
use serde_json::Value;

/// Runs that have both values in the table, with these.
pub(crate) fn in_table(site: &Site) -> BTreeMap<u32, (f64, f64)> {
    let sql = "SELECT run, max(value) FILTER (WHERE name = 'energy'), max(value) FILTER (WHERE name = 'trace')
               FROM run_variables WHERE name IN ('energy', 'trace') AND value IS NOT NULL
               GROUP BY run HAVING count(*) = 2";
    let table = site.table();
    let mut rows = table.prepare(sql).expect("the table");
    rows.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .and_then(Iterator::collect)
        .expect("the table")
}

/// What is not as it was computed: in the table, and in each of the run's file's four places.
pub(crate) fn wrong_results(site: &Site, computed: &BTreeMap<u32, f64>) -> Vec<String> {
    let table = in_table(site);
    let files = site.python("run_files.py", &[OsStr::new(&site.db())]);
    let files: Value = serde_json::from_str(&files.succeeded().stdout).expect("JSON");
    let mut wrong = Vec::new();
    for (run, energy) in computed {
        let file = &files[run.to_string()];
        let expected = serde_json::json!({
            "energy": energy, "energy summary": energy, "trace": [energy], "trace summary": energy,
        });
        if table.get(run) != Some(&(*energy, *energy)) || *file != expected {
            let table = table.get(run);
            wrong.push(format!(
                "run {run} came to {energy}: table {table:?}, file {file}"
            ));
        }
    }
    wrong
}

/// What is in the folder of the results beside the files of runs and locks.
pub(crate) fn left_over(site: &Site) -> BTreeSet<String> {
    let folder = std::fs::read_dir(site.db().join("extracted_data")).expect("the results");
    let names = folder.map(|entry| entry.expect("a file").file_name());
    let names = names.map(|name| name.into_string().expect("a name"));
    // The files of runs have no second dot.
    let is_kept = |name: &String| name.starts_with('.') || name.matches('.').count() == 1;
    names.filter(|name| !is_kept(name)).collect()
}
