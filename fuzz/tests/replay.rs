//! The corpus, with all that was ever found, through the same functions as the fuzzer's, and what no small file can show.

use std::path::Path;

use runledger_fuzz::{TARGETS, Target};

#[test]
fn whatever_is_in_the_corpus_is_read_or_refused() {
    for Target { name, read } in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{name}: {why}"));
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            println!("{}", file.display());
            read(&std::fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_folder_of_the_corpus_has_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in std::fs::read_dir(corpus).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(Target::named(name.to_str().unwrap()).is_some(), "{name:?}");
    }
}

fn read(target: &str, bytes: &[u8]) {
    (Target::named(target).unwrap().read)(bytes);
}

#[test]
fn json_without_end_is_refused_and_does_not_use_up_the_stack() {
    for open in [
        "[",
        "{\"data\":",
        "{\"msg_kind\":\"file_submission\",\"data\":",
    ] {
        let deep = open.repeat(1_000_000);
        for target in ["notifications", "submissions"] {
            read(target, deep.as_bytes());
        }
        let length = u32::try_from(deep.len()).unwrap().to_le_bytes();
        for target in ["worker", "results"] {
            read(target, &[&length, deep.as_bytes()].concat());
        }
    }
    for deep in [
        "a = ".to_owned() + &"[".repeat(200_000),
        "a.".repeat(200_000) + "b = 1",
    ] {
        read("configuration", deep.as_bytes());
    }
}

#[test]
fn a_frame_that_announces_more_than_there_is_takes_no_more_memory_than_came() {
    for lengths in [
        "9223372036854775807",
        "4398046511104",
        "1,1,4398046511100",
        "8388608",
    ] {
        let header = format!(r#"{{"message": "hello", "buffers": [{lengths}]}}"#);
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        for target in ["worker", "results"] {
            read(target, &[&length, header.as_bytes(), b"abc"].concat());
        }
    }
    for target in ["worker", "results"] {
        read(target, &u32::MAX.to_le_bytes());
        read(target, &(64_u32 << 20).to_le_bytes());
    }
}
