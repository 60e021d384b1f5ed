//! `init`.

use std::io::Read;
use std::path::{Path, PathBuf};

use runledger_context::run::Proposal;
use runledger_context::text_file;
use runledger_storage::Database;
use runledger_storage::database::{FILE_NAME, add_context_file};

use super::Site;
use crate::arguments::Init;
use crate::failure::{Failure, Result};
use crate::place;

/// Sets up a database folder; what is there already stays as it is.
pub(super) fn run(init: &Init, site: &Site) -> Result {
    let (dir, proposal) = target(init, site)?;
    let like = init
        .like
        .as_deref()
        .map(|like| place::existing(like, &site.config))
        .transpose()?;
    let source = context_source(init, like.as_deref())?;
    let context = source
        .as_deref()
        .map(content)
        .transpose()?
        .unwrap_or_default();
    let model = like.as_deref().map(Database::open).transpose()?;
    let is_new = !dir.join(FILE_NAME).is_file();
    let mut db = if is_new {
        Database::create(&dir, proposal)?
    } else {
        existing(&dir, proposal)?
    };
    if let (true, Some(model)) = (is_new, model) {
        for variable in model.user_variables()? {
            db.add_user_variable(&variable)?;
        }
    }
    let path = dir.join("context.py");
    let wrote_context = add_context_file(&path, &context)
        .map_err(|e| Failure::new(format!("{} cannot be written: {e}", path.display())))?;
    println!(
        "{} {}",
        if is_new {
            "Database set up in"
        } else {
            "There was a database already in"
        },
        dir.display()
    );
    if !wrote_context {
        println!("Its context.py was there already and stays as it is");
    }
    Ok(())
}

/// The database that is there; not that of another proposal.
fn existing(dir: &Path, wanted: Proposal) -> Result<Database> {
    let db = Database::open(dir)?;
    match db.proposal()? {
        Some(own) if own != wanted => Err(Failure::new(format!(
            "there is a database of proposal {} in {}, and none can be made for {} there",
            own.0,
            dir.display(),
            wanted.0
        ))
        .hint("nothing was changed; name another folder, or change its proposal there with `runledger proposal NUMBER`")),
        _ => Ok(db),
    }
}

fn target(init: &Init, site: &Site) -> Result<(PathBuf, Proposal)> {
    if let Ok(number) = init.proposal_or_dir.parse() {
        let proposal = Proposal(number);
        return Ok((place::usual_folder(proposal, &site.config)?, proposal));
    }
    let dir = place::absolute(Path::new(&init.proposal_or_dir))?;
    let number = init.proposal.or_else(|| proposal_in(&dir)).ok_or_else(|| {
        Failure::usage(format!(
            "{} does not tell which proposal it belongs to",
            dir.display()
        ))
        .hint("add --proposal NUMBER")
    })?;
    Ok((dir, Proposal(number)))
}

/// The number in the name of a proposal's folder (`p001234`) on the way to `dir`.
fn proposal_in(dir: &Path) -> Option<u32> {
    dir.iter()
        .filter_map(|part| part.to_str())
        .find_map(|part| {
            let digits = part.strip_prefix('p').filter(|digits| digits.len() == 6)?;
            digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| digits.parse().ok())
                .flatten()
        })
}

fn context_source(init: &Init, like: Option<&Path>) -> Result<Option<PathBuf>> {
    let source = init
        .context
        .clone()
        .or_else(|| like.map(|dir| dir.join("context.py")));
    match source {
        Some(path) if !path.is_file() => Err(Failure::new(format!(
            "there is no context file {}",
            path.display()
        ))),
        source => Ok(source),
    }
}

fn content(source: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    text_file::open(source)
        .and_then(|mut file| file.read_to_end(&mut content))
        .map_err(|e| Failure::new(format!("{} cannot be read: {e}", source.display())))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposals_folder_tells_its_number() {
        assert_eq!(
            proposal_in(Path::new("/data/SPB/202602/p001234/usr/x")),
            Some(1234)
        );
        assert_eq!(proposal_in(Path::new("/home/p/python3/p12")), None);
    }
}
