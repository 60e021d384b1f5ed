//! What `THIRD_PARTY.md` tells of the C libraries in the binary is complete.

use std::path::Path;

#[test]
fn every_crate_that_brings_c_with_it_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (document, lock) = (read("THIRD_PARTY.md"), read("Cargo.lock"));
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    let names = names.map(|name| name.trim_matches('"'));
    let of_c: Vec<&str> = names
        .filter(|name| name.ends_with("-sys") || name.ends_with("-src"))
        .collect();
    assert!(of_c.len() > 5, "{of_c:?}");
    for name in of_c {
        let is_named = document.contains(&format!("`{name}`"));
        assert!(
            is_named,
            "THIRD_PARTY.md does not say what {name} brings with it"
        );
    }
}
