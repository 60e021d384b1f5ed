//! The existing client decides: what we store reads as what DAMNIT stores, and each goes on with the other's database.

use runledger_tests::{Finished, Site};
use serde_json::Value;

/// One variable for every kind of value.
const EVERY_KIND: &str = include_str!("../python/every_kind.py");

/// Ours chooses other points for a sparkline than theirs, and other pixels at the edges of a thumbnail.
const DRAWN: [&str; 6] = [
    "sparkline",
    "half",
    "big_endian",
    "picture",
    "labelled",
    "nameless",
];

fn read(site: &Site, folder: &str) -> Value {
    let out = site.path("facts.json");
    let folder = site.path(folder);
    site.python("read_with_client.py", &[folder.as_ref(), out.as_ref()])
        .succeeded();
    let text = std::fs::read_to_string(out).expect("the facts");
    serde_json::from_str(&text).expect("JSON")
}

/// The same file evaluated by DAMNIT in `theirs`, by ours in `db`.
fn both() -> Site {
    let site = Site::quiet();
    site.init(EVERY_KIND);
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

#[test]
fn the_client_reads_from_our_database_what_it_reads_from_damnits_own() {
    let site = both();
    let (ours, theirs) = (read(&site, "db"), read(&site, "theirs"));
    assert_eq!(ours["runs"], theirs["runs"]);
    let (ours_run, theirs_run) = (
        &ours["results"]["1234"]["7"],
        &theirs["results"]["1234"]["7"],
    );
    let names = |run: &Value| -> Vec<String> {
        run.as_object()
            .expect("variables")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(names(ours_run), names(theirs_run));
    assert!(names(ours_run).len() > 15, "{ours_run:#}");
    // The start of a run without files is the time of its evaluation.
    for name in names(ours_run).iter().filter(|name| *name != "start_time") {
        let (ours, theirs) = (&ours_run[name], &theirs_run[name]);
        for fact in ["title", "units", "type_hint", "read", "preview"] {
            assert_eq!(ours[fact], theirs[fact], "{fact} of {name}");
        }
        let is_drawn = DRAWN.contains(&name.as_str());
        let compared: &[&str] = if is_drawn {
            &["type", "dtype", "png"]
        } else {
            &["type", "value", "dtype", "shape", "values"]
        };
        for fact in compared {
            assert_eq!(
                ours["summary"][fact], theirs["summary"][fact],
                "summary of {name}: {fact}"
            );
        }
    }
}

#[test]
fn the_table_and_the_titles_are_those_of_damnit() {
    let site = both();
    let (ours, theirs) = (read(&site, "db"), read(&site, "theirs"));
    let without_time = |facts: &Value| -> Value {
        let mut row = facts["table"][0].clone();
        let row = row.as_object_mut().expect("a row");
        row.remove("start_time");
        row.clone().into()
    };
    assert_eq!(without_time(&ours), without_time(&theirs));
    let sorted = |facts: &Value| -> Vec<String> {
        let mut all: Vec<String> = serde_json::from_value(facts["titles"].clone()).expect("titles");
        all.sort();
        all
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
}

#[test]
fn every_cell_has_the_same_columns_as_damnits() {
    let site = both();
    let cells = |folder: &str| -> Vec<Vec<Value>> {
        let table = rusqlite::Connection::open(site.path(folder).join("runs.sqlite"))
            .expect("the run table");
        let sql = "SELECT name, typeof(value), max_diff, summary_type, summary_method, attributes, provenance
                   FROM run_variables ORDER BY name";
        let mut statement = table.prepare(sql).expect("the cells");
        let rows = statement.query_map([], |row| {
            let attributes: Option<String> = row.get(5)?;
            assert_eq!(row.get::<_, String>(6)?, "context.py");
            let attributes: Option<Value> =
                attributes.map(|text| serde_json::from_str(&text).expect("JSON"));
            let text = |at| row.get::<_, Option<String>>(at).map(Value::from);
            let max_diff = row.get::<_, Option<f64>>(2)?.into();
            Ok(vec![
                text(0)?,
                text(1)?,
                max_diff,
                text(3)?,
                text(4)?,
                attributes.unwrap_or_default(),
            ])
        });
        rows.expect("rows")
            .collect::<Result<_, _>>()
            .expect("cells")
    };
    for (ours, theirs) in cells("db").into_iter().zip(cells("theirs")) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(cells("db").len(), cells("theirs").len());
}

#[test]
fn what_users_write_through_the_client_stays() {
    let site = Site::quiet();
    site.init(EVERY_KIND);
    site.run(&["extract", "1234", "1", "all", "--mock", "--update-vars"])
        .succeeded();
    site.python("write_with_client.py", &[site.db().as_ref()])
        .succeeded();
    site.run(&["extract", "1234", "1", "all", "--mock", "--update-vars"])
        .succeeded();
    let value = |name: &str| {
        site.text(&format!(
            "SELECT value FROM run_variables WHERE run=1 AND name='{name}'"
        ))
    };
    assert_eq!(value("comment").as_deref(), Some("beam was nice – schön"));
    assert_eq!(value("sample").as_deref(), Some("lysozyme"));
    assert_eq!(
        site.text("SELECT type FROM variables WHERE name='sample'")
            .as_deref(),
        Some("string")
    );
    let shown = site.run(&["table", "--json"]).succeeded().stdout;
    assert!(
        shown.contains("lysozyme") && shown.contains("schön"),
        "{shown}"
    );
}

#[test]
fn a_database_made_by_damnit_is_extended_by_ours_and_read_by_the_client() {
    let site = Site::quiet();
    site.write("given.py", EVERY_KIND);
    let (db, context) = (site.db(), site.path("given.py"));
    let arguments = [
        db.as_ref(),
        context.as_ref(),
        "1234".as_ref(),
        "7".as_ref(),
        "--mock".as_ref(),
    ];
    site.python("make_with_damnit.py", &arguments).succeeded();
    // One variable of its run again, and another run.
    site.run(&["extract", "1234", "7", "all", "--mock", "--var", "labelled"])
        .succeeded();
    site.run(&["extract", "1234", "8", "all", "--mock", "--update-vars"])
        .succeeded();
    let facts = read(&site, "db");
    assert_eq!(facts["runs"], serde_json::json!([7, 8]));
    let results = &facts["results"]["1234"];
    for name in ["labelled", "dataset", "nameless", "picture", "text"] {
        assert!(
            results["7"][name]["read"]["error"].is_null(),
            "{name}: {:#}",
            results["7"][name]
        );
        assert!(
            results["7"][name]["read"]["type"].is_string(),
            "{name}: {:#}",
            results["7"][name]
        );
    }
    assert_eq!(
        results["7"]["labelled"]["read"],
        results["8"]["labelled"]["read"]
    );
    assert_eq!(
        results["7"]["dataset"]["read"],
        results["8"]["dataset"]["read"]
    );
}

#[test]
fn damnits_combiner_merges_our_fragment_into_its_file_and_ours_merges_its() {
    let site = Site::with_broker();
    site.init(EVERY_KIND);
    let (db, context) = (site.db(), site.path("given.py"));
    let arguments = [
        db.as_ref(),
        context.as_ref(),
        "1234".as_ref(),
        "7".as_ref(),
        "--mock".as_ref(),
        "--keep-fragments".as_ref(),
    ];
    site.python("make_with_damnit.py", &arguments).succeeded();
    let now = ["combiner".as_ref(), "now".as_ref(), db.as_os_str()];
    Finished::of(&mut site.command(&site.listener(), &now)).succeeded();
    assert_eq!(
        site.number("SELECT value FROM run_variables WHERE name='whole'"),
        Some(42.0)
    );
    let before = read(&site, "db");
    // With a broker our job leaves its fragment for the combiner: here DAMNIT's.
    site.run(&[
        "extract", "1234", "7", "all", "--mock", "--var", "labelled", "--var", "dataset",
    ])
    .succeeded();
    let arguments = [
        db.as_ref(),
        context.as_ref(),
        "1234".as_ref(),
        "8".as_ref(),
        "--mock".as_ref(),
    ];
    site.python("make_with_damnit.py", &arguments).succeeded();
    let after = read(&site, "db");
    for name in ["labelled", "dataset", "nameless", "whole"] {
        let fact = |facts: &Value| facts["results"]["1234"]["7"][name]["read"].clone();
        assert_eq!(fact(&before), fact(&after), "{name}");
        assert!(
            fact(&after)["type"].is_string(),
            "{name}: {:#}",
            fact(&after)
        );
    }
}
