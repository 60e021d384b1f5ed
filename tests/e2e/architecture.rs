//! The absences that `docs/ARCHITECTURE.md` means: each library has its room, and what decides does nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms of the program.
const PROGRAM: [&str; 7] = [
    "steps",
    "migrations",
    "context",
    "sandbox",
    "storage",
    "listener",
    "cli",
];

/// A library, or what is to be done with care, and where alone it is used.
const ROOMS: [(&str, &[&str]); 7] = [
    (
        "allow(unsafe_code)",
        &[
            "storage/src/hdf5/",
            "migrations/src/opening.rs",
            "listener/src/kafka/describing.rs",
        ],
    ),
    ("landlock::", &["sandbox/src/"]),
    ("seccompiler::", &["sandbox/src/"]),
    ("rdkafka::", &["listener/src/kafka/"]),
    ("hdf5_metno::", &["storage/src/"]),
    ("hdf5_metno_sys::", &["storage/src/hdf5/"]),
    (
        "rusqlite::",
        &[
            "storage/src/",
            "migrations/src/",
            "listener/src/ledger/",
            "listener/src/listener_db/",
            "listener/src/journal.rs",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => sources(&path, found),
            Some(ending) if ending == "rs" => found.push(path),
            _ => {}
        }
    }
}

/// The sources of the program, by their names in the repository.
fn program() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for room in PROGRAM {
        sources(&root().join(room).join("src"), &mut found);
    }
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    };
    found.into_iter().map(named).collect()
}

#[test]
fn each_library_is_used_in_its_room_only() {
    let all = program();
    for (library, rooms) in ROOMS {
        let users = all.iter().filter(|(_, source)| source.contains(library));
        let names: Vec<&str> = users.map(|(name, _)| name.as_str()).collect();
        assert!(!names.is_empty(), "nobody uses {library}");
        for name in names {
            let is_at_home = rooms.iter().any(|room| name.starts_with(room));
            assert!(is_at_home, "{name} uses {library}");
        }
    }
}

#[test]
fn each_room_uses_those_that_the_document_says() {
    let text = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let document = text("docs/ARCHITECTURE.md");
    for room in PROGRAM {
        let mut lines = document.lines();
        let line = lines.find(|line| line.starts_with(&format!("| `{room}/` |")));
        let may_use = line.and_then(|line| line.split('|').nth(4)).unwrap();
        let named: BTreeSet<&str> = may_use.split('`').skip(1).step_by(2).collect();
        let manifest = text(&format!("{room}/Cargo.toml"));
        let used = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("runledger-")?.split(['.', ' ']).next());
        let used: BTreeSet<&str> = used.collect();
        assert!(may_use.trim() == "all" || used == named, "{room}: {used:?}");
    }
}

#[test]
fn databases_are_opened_in_one_place() {
    for (name, source) in program() {
        let opens = ["Connection::open(", "Connection::open_with_flags("];
        let does = opens.iter().any(|way| source.contains(way));
        assert!(!does || name == "migrations/src/opening.rs", "{name}");
    }
}

#[test]
fn what_plans_has_no_clock_no_file_and_no_process() {
    let plan = std::fs::read_to_string(root().join("listener/src/plan.rs")).unwrap();
    assert!(plan.contains("pub fn"));
    for word in [
        "fs::",
        "File",
        "process::",
        "Command",
        "time::",
        "Instant",
        "SystemTime",
        ".exists()",
    ] {
        assert!(!plan.contains(word), "{word}");
    }
}
