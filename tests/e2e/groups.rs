//! Variables of groups reach the table and the runs' files as with DAMNIT.

use runledger_tests::Site;
use rusqlite::Connection;
use serde_json::Value;

/// Groups in all their forms.
const GROUPS: &str = include_str!("../../context/tests/group_parity_context.py");

/// The same file evaluated by DAMNIT in `theirs`, by ours in `db`.
fn both() -> Site {
    let site = Site::quiet();
    // For variables of a whole node DAMNIT needs Slurm.
    site.init(&GROUPS.replace("cluster=True", "cluster=False"));
    site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"])
        .succeeded();
    let (theirs, context) = (site.path("theirs"), site.path("given.py"));
    let arguments = [
        theirs.as_ref(),
        context.as_ref(),
        "1234".as_ref(),
        "7".as_ref(),
        "--mock".as_ref(),
    ];
    site.python("make_with_damnit.py", &arguments).succeeded();
    site
}

/// What the client reads of the run.
fn read(site: &Site, folder: &str) -> Value {
    let (out, folder) = (site.path("facts.json"), site.path(folder));
    site.python("read_with_client.py", &[folder.as_ref(), out.as_ref()])
        .succeeded();
    let text = std::fs::read_to_string(out).expect("the facts");
    let facts: Value = serde_json::from_str(&text).expect("JSON");
    facts["results"]["1234"]["7"].clone()
}

/// The answer to a query, as a text for each row.
fn rows(site: &Site, folder: &str, sql: &str) -> Vec<String> {
    let table = Connection::open(site.path(folder).join("runs.sqlite")).expect("the run table");
    let mut statement = table.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| row.get::<_, String>(0));
    rows.expect("rows")
        .collect::<Result<_, _>>()
        .expect("texts")
}

#[test]
fn the_client_reads_variables_of_groups_as_from_damnits_own_database() {
    let site = both();
    let (ours, theirs) = (read(&site, "db"), read(&site, "theirs"));
    let theirs = theirs.as_object().expect("variables");
    assert!(theirs.len() > 25 && theirs.contains_key("nested.inner.inner.result"));
    // The start of a run without files is the time of its evaluation.
    for (name, facts) in theirs.iter().filter(|(name, _)| *name != "start_time") {
        assert_eq!(&ours[name], facts, "{name}");
    }
    assert_eq!(ours.as_object().expect("variables").len(), theirs.len());
}

#[test]
fn names_titles_tags_and_errors_in_the_table_are_damnits() {
    let site = both();
    let same = |sql: &str| {
        let ours = rows(&site, "db", sql);
        assert_eq!(ours, rows(&site, "theirs", sql), "{sql}");
        ours
    };
    let declared = "SELECT name || '|' || title || '|' || coalesce(description, '') FROM variables ORDER BY rowid";
    let declared = same(declared);
    assert!(
        declared
            .iter()
            .any(|line| line.starts_with("pair.left.energy|pair/left/energy|Counted"))
    );
    assert!(!declared.iter().any(|line| line.contains("__missing__")));
    let tags = same(
        "SELECT variable_name || '|' || name FROM variable_tags JOIN tags ON tags.id = tag_id ORDER BY 1",
    );
    assert!(tags.contains(&"two.energy|instance".into()));
    let errors = same(
        "SELECT name || '|' || (attributes->>'error_cls') || '|' || (attributes->>'error')
         FROM run_variables WHERE attributes LIKE '%error%' ORDER BY name",
    );
    assert!(errors.len() > 10);
}
