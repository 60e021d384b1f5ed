//! `migrate --restore`.

use std::path::{Path, PathBuf};

use runledger_storage::migrate::{self, Format, LATEST, PATIENCE};

use crate::asking;
use crate::failure::{Failure, Result};

/// Makes the database in `dir` what a copy is, if somebody agrees.
pub(super) fn run(dir: &Path, named: Option<&Path>, yes: bool) -> Result {
    let copy = match named {
        Some(copy) => there(dir, copy)?,
        None => only(dir)?,
    };
    let question = format!(
        "Go back to {}? What was stored since then would be in another copy only.",
        copy.display()
    );
    if !asking::agrees(&question, yes)? {
        println!("Nothing was changed.");
        return Ok(());
    }
    let restored = migrate::restore(dir, &copy, PATIENCE)?;
    println!(
        "The database is what {} is: format {}.",
        copy.display(),
        restored.format
    );
    println!(
        "As it was before it is kept in {}.",
        restored.kept.display()
    );
    if restored.files > 0 {
        println!(
            "{} run files are what they were then, too; those that were there are kept beside them.",
            restored.files
        );
    }
    match restored.format {
        Format::Numbered(LATEST) => {}
        Format::Numbered(_) => {
            println!(
                "Programs that know format {LATEST} bring it to that again when they open it."
            );
        }
        _ => println!("`runledger migrate` brings it to format {LATEST} again."),
    }
    Ok(())
}

/// The copy that is named.
fn there(dir: &Path, named: &Path) -> Result<PathBuf> {
    let copy = dir.join(named);
    match copy.symlink_metadata() {
        Ok(_) => Ok(copy),
        Err(why) => Err(Failure::new(format!(
            "there is no copy {}: {why}",
            copy.display()
        ))
        .hint("`runledger migrate --restore` without a name takes the only copy there is, or lists them")),
    }
}

/// The copy that is meant where none is named.
fn only(dir: &Path) -> Result<PathBuf> {
    let copies = migrate::copies(dir)?;
    match copies.as_slice() {
        [] => Err(Failure::new(format!(
            "there is no copy of the database in {}",
            dir.display()
        ))
        .hint("name one that is elsewhere: `runledger migrate --restore FILE`")),
        [copy] => Ok(copy.path.clone()),
        several => {
            let names = several.iter().map(|copy| {
                let name = copy.path.file_name().unwrap_or_default();
                format!("{} ({})", name.to_string_lossy(), copy.format)
            });
            let names: Vec<String> = names.collect();
            Err(Failure::usage(format!(
                "there are several copies, latest first: {}",
                names.join(", ")
            ))
            .hint("name the one you mean: `runledger migrate --restore FILE`"))
        }
    }
}
