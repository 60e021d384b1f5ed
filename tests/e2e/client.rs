//! The existing client decides: what we store reads as what DAMNIT stores, and each goes on with the other's database.

use runledger_tests::{Finished, Site};
use serde_json::Value;

/// Variables for some kinds of values.
const SOME_KINDS: &str = concat!(
    include_str!("../context/numbers.py"),
    include_str!("../context/labelled.py")
);

fn read(site: &Site, folder: &str) -> Value {
    let out = site.path("facts.json");
    let folder = site.path(folder);
    site.python("read_with_client.py", &[folder.as_ref(), out.as_ref()])
        .succeeded();
    let text = std::fs::read_to_string(out).expect("the facts");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn what_users_write_through_the_client_stays() {
    let site = Site::quiet();
    site.init(SOME_KINDS);
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
    site.write("given.py", SOME_KINDS);
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
    for name in ["labelled", "gathered", "nameless", "upwards", "text"] {
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
        results["7"]["gathered"]["read"],
        results["8"]["gathered"]["read"]
    );
}

#[test]
fn damnits_combiner_merges_our_fragment_into_its_file_and_ours_merges_its() {
    let site = Site::with_broker();
    site.init(SOME_KINDS);
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
        "extract", "1234", "7", "all", "--mock", "--var", "labelled", "--var", "gathered",
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
    for name in ["labelled", "gathered", "nameless", "whole"] {
        let fact = |facts: &Value| facts["results"]["1234"]["7"][name]["read"].clone();
        assert_eq!(fact(&before), fact(&after), "{name}");
        assert!(
            fact(&after)["type"].is_string(),
            "{name}: {:#}",
            fact(&after)
        );
    }
}
