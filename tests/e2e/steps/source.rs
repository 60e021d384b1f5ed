//! What lasts is followed by a step: whoever adds an effect to the way from a notification to a published value adds a
//! crash point behind it, or says here why none is needed.

use std::path::{Path, PathBuf};

/// What lasts: on disk, in a queue, with a broker.
const EFFECTS: &[&str] = &[
    ".commit()",
    "\"COMMIT\"",
    "self.write(",
    "self.connection.execute(",
    "fs::rename(",
    ".persist",
    "fs::hard_link(",
    "fs::remove_file(",
    "fs::remove_dir_all(",
    ".store_offset(",
    ".inner.send(",
    "queue.submit(",
    ".spawn()",
    ".make_last()",
];

/// Where data passes.
const FLOW: &[&str] = &[
    "listener/src",
    "storage/src/database",
    "storage/src/fragment",
    "storage/src/fragment.rs",
    "storage/src/migrate",
    "storage/src/results_dir.rs",
    "storage/src/run_file",
    "storage/src/run_file.rs",
    "migrations/src",
];

/// Its callers name the step.
const CALLER: &str = "the step is its caller's";
/// One statement or transaction, and nothing follows from it.
const ALONE: &str = "it stands alone";
/// It is done or said again by itself.
const AGAIN: &str = "it comes again by itself";
/// What is removed is a draft that counts for nothing.
const DRAFT: &str = "it is about a draft only";
/// Nothing lasts by it.
const NOTHING: &str = "nothing lasts by it";

/// Functions with effects that no step follows, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("storage/src/fragment/salvaging.rs", "forget_drafts", DRAFT),
    ("listener/src/ledger/making.rs", "make_sure_of", AGAIN),
    ("listener/src/ledger/mod.rs", "await_turn", NOTHING),
    ("listener/src/listener_db/inbox.rs", "hurry", ALONE),
    ("storage/src/database/mod.rs", "await_turn", NOTHING),
    ("listener/src/ledger/outbox.rs", "try_replace", ALONE),
    ("storage/src/fragment/salvaging.rs", "salvage_file", AGAIN),
    ("storage/src/fragment/trimming.rs", "copy", DRAFT),
    ("storage/src/fragment/writing.rs", "complete", DRAFT),
    ("storage/src/fragment/writing.rs", "create", DRAFT),
    ("storage/src/migrate/convert/mod.rs", "forget_draft", DRAFT),
    ("storage/src/run_file.rs", "merge_into", DRAFT),
    ("listener/src/combiner/worker_process.rs", "start", NOTHING),
    ("listener/src/extraction/handover.rs", "forget_old", AGAIN),
    ("listener/src/job_end.rs", "leave_nothing", AGAIN),
    ("listener/src/ledger/calling_off.rs", "try_reinstate", ALONE),
    ("listener/src/ledger/claims.rs", "see", AGAIN),
    ("listener/src/ledger/jobs.rs", "remark", AGAIN),
    ("listener/src/ledger/jobs.rs", "set_progress", AGAIN),
    ("listener/src/ledger/jobs.rs", "set_state", ALONE),
    ("listener/src/ledger/placing.rs", "observe_requeued", AGAIN),
    ("listener/src/ledger/placing.rs", "try_observe", AGAIN),
    (
        "listener/src/ledger/unreadable.rs",
        "came_to_nothing",
        CALLER,
    ),
    ("listener/src/listener_db/dead_letters.rs", "replay", ALONE),
    (
        "listener/src/listener_db/dead_letters.rs",
        "replay_all",
        ALONE,
    ),
    ("listener/src/listener_db/inbox.rs", "write", CALLER),
    ("listener/src/listener_db/pruning.rs", "prune", AGAIN),
    (
        "listener/src/listener_db/settings.rs",
        "delete_setting",
        ALONE,
    ),
    (
        "listener/src/listener_db/settings.rs",
        "set_defaults",
        AGAIN,
    ),
    ("listener/src/listener_db/settings.rs", "set_setting", ALONE),
    ("listener/src/listener_db/watched.rs", "unwatch", ALONE),
    ("listener/src/queue/foreground.rs", "begin", CALLER),
    ("listener/src/queue/local.rs", "start", CALLER),
    ("listener/src/queue/slurm/command.rs", "ask", CALLER),
    ("migrations/src/backup.rs", "draft_beside", DRAFT),
    ("migrations/src/backup.rs", "keep", CALLER),
    ("migrations/src/runs.rs", "upgrade_with_backup", DRAFT),
    ("storage/src/database/create.rs", "fill", CALLER),
    ("storage/src/database/mod.rs", "read", NOTHING),
    ("storage/src/database/mod.rs", "write", CALLER),
    ("storage/src/database/settings.rs", "delete_setting", ALONE),
    ("storage/src/database/settings.rs", "new_id", ALONE),
    ("storage/src/database/settings.rs", "set_setting", ALONE),
    (
        "storage/src/database/user_variables.rs",
        "add_user_variable",
        ALONE,
    ),
    ("storage/src/fragment/writing.rs", "discard", DRAFT),
    (
        "storage/src/migrate/convert/mod.rs",
        "convert_run_file",
        DRAFT,
    ),
    ("storage/src/migrate/convert/originals.rs", "keep", CALLER),
    ("storage/src/migrate/convert/table.rs", "finish", DRAFT),
    ("storage/src/run_file/examining.rs", "examine", DRAFT),
    ("storage/src/run_file/examining.rs", "make_room_for", DRAFT),
];

/// A function with an effect that no step follows before the next effect, or the function's end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Bare {
    file: String,
    function: String,
    effect: String,
}

#[test]
fn every_effect_that_lasts_is_followed_by_a_step_or_named_with_the_reason_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files: Vec<PathBuf> = FLOW
        .iter()
        .flat_map(|place| sources(&root.join(place)))
        .collect();
    let read = |path: &PathBuf| {
        let name = path
            .strip_prefix(&root)
            .expect("below the root")
            .to_string_lossy();
        bare_effects(&name, &std::fs::read_to_string(path).expect("a source"))
    };
    let bare: Vec<Bare> = files.iter().flat_map(read).collect();
    let is_named = |bare: &&Bare| EXCEPTIONS.iter().any(|named| is_about(named, bare));
    let missing: Vec<&Bare> = bare.iter().filter(|bare| !is_named(bare)).collect();
    assert!(
        missing.is_empty(),
        "no `reached(Step::…)` follows:\n{missing:#?}"
    );
    let is_needless = |named: &&(&str, &str, &str)| !bare.iter().any(|bare| is_about(named, bare));
    let needless: Vec<_> = EXCEPTIONS.iter().filter(is_needless).collect();
    assert!(
        needless.is_empty(),
        "these are no exceptions any more:\n{needless:#?}"
    );
}

fn is_about((file, function, _): &(&str, &str, &str), bare: &Bare) -> bool {
    *file == bare.file && *function == bare.function
}

#[test]
fn an_effect_without_a_step_is_found() {
    let source = "fn one() {\n    db\n        .commit()?;\n    reached(Step::A);\n}\n\n\
                  pub(super) fn two() {\n    fs::rename(a, b)?;\n    db.commit()?;\n    reached(Step::B);\n}\n\n\
                  #[cfg(test)]\nmod tests {\n    fn three() { db.commit() }\n}\n";
    let found = bare_effects("f.rs", source);
    let effects: Vec<&str> = found.iter().map(|bare| bare.effect.as_str()).collect();
    assert_eq!(
        (effects, found[0].function.as_str()),
        (vec!["fs::rename(a, b)?;"], "two")
    );
}

/// The Rust files of a folder, or the one that is named.
fn sources(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_path_buf()];
    }
    let entries = std::fs::read_dir(place).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let of = |path: PathBuf| match path.extension().and_then(|end| end.to_str()) {
        Some("rs") => vec![path],
        None => sources(&path),
        Some(_) => Vec::new(),
    };
    // What only tests are made of.
    paths
        .filter(|path| !path.ends_with("replaying.rs"))
        .flat_map(of)
        .collect()
}

fn bare_effects(file: &str, source: &str) -> Vec<Bare> {
    let mut bare: Vec<Bare> = Vec::new();
    let mut open: Option<Bare> = None;
    let mut function = String::new();
    for line in statements(source) {
        if let Some(name) = function_in(&line) {
            bare.extend(open.take());
            function = name.to_owned();
        }
        if line.contains("reached(") {
            open = None;
        }
        if EFFECTS.iter().any(|effect| line.contains(effect)) {
            let (file, function) = (file.to_owned(), function.clone());
            let effect = line;
            bare.extend(open.replace(Bare {
                file,
                function,
                effect,
            }));
        }
    }
    bare.extend(open);
    bare
}

/// The lines outside of tests, with calls that go on in the next line in one.
fn statements(source: &str) -> Vec<String> {
    let all: Vec<&str> = source.lines().map(str::trim).collect();
    let is_tests = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with("mod tests {");
    let end = all.windows(2).position(is_tests).unwrap_or(all.len());
    let mut lines: Vec<String> = Vec::new();
    for line in all[..end].iter().filter(|line| !line.starts_with("//")) {
        match lines.last_mut() {
            Some(last) if line.starts_with('.') => last.push_str(line),
            _ => lines.push((*line).to_owned()),
        }
    }
    lines
}

/// The name of the function that begins here.
fn function_in(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    let rest = rest.trim_start().strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}
