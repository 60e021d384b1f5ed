//! The tests that `docs/RELIABILITY.md` names are there.

use std::path::Path;

#[test]
fn every_test_that_the_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/RELIABILITY.md")).unwrap();
    let named = document
        .split('`')
        .filter_map(|word| word.split_once(".rs::"));
    let named: Vec<(&str, &str)> = named.collect();
    assert!(named.len() > 20, "{named:?}");
    for (file, name) in named {
        let source = std::fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
        let is_there = source.contains(&format!("fn {name}("));
        assert!(is_there, "{file}.rs has no test {name}");
    }
}
