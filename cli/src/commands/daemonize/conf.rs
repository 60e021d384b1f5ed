//! `supervisord.conf`: written for each start of supervisord, readable by nobody else.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use runledger_context::text_file;

use crate::failure::{Failure, Result};

/// As DAMNIT names it, in the listener's folder.
const FILE: &str = "supervisord.conf";
const TEMPLATE: &str = include_str!("supervisord.conf");

/// The file in a listener's folder.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Who wrote the file that is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// There is none.
    Nobody,
    /// This program.
    Us,
    /// DAMNIT's `listen --daemonize`.
    Damnit,
    /// Somebody else.
    Other,
}

/// Who wrote the file in `dir`.
pub(super) fn author(dir: &Path) -> Result<Author> {
    let text = match text_file::read(&path(dir)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Author::Nobody),
        Err(e) => {
            return Err(
                Failure::new(format!("{} cannot be read: {e}", path(dir).display()))
                    .hint("it belongs to whoever started the listener here: only they control it"),
            );
        }
    };
    Ok(author_of(&text))
}

fn author_of(text: &str) -> Author {
    let is_command = |line: &str| {
        let (key, value) = line.split_once('=').unwrap_or_default();
        key.trim() == "command" && value.trim().starts_with("damnit ")
    };
    if text.lines().next() == TEMPLATE.lines().next() {
        Author::Us
    } else if text.lines().any(is_command) {
        Author::Damnit
    } else {
        Author::Other
    }
}

/// Writes it anew, with another port and another password. What somebody else wrote is kept beside it.
pub(super) fn write(dir: &Path, command: &[PathBuf]) -> Result {
    let path = path(dir);
    let failed = |e: std::io::Error| {
        Failure::new(format!("{} cannot be written: {e}", path.display()))
            .hint("the listener needs a folder that you can write to")
    };
    let text = filled(&[
        ("{port}", free_port().map_err(failed)?.to_string()),
        ("{user}", random().map_err(failed)?),
        ("{password}", random().map_err(failed)?),
        ("{command}", command_line(command)?),
        ("{directory}", value(dir)?),
    ]);
    if matches!(author(dir)?, Author::Damnit | Author::Other) {
        let old = dir.join(format!("{FILE}.old"));
        std::fs::rename(&path, &old).map_err(failed)?;
        close(&old);
    }
    // A temporary file is its owner's alone from the beginning.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(&path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// There is a password in it, too. What belongs to somebody else is that one's to close.
fn close(old: &Path) {
    if old.symlink_metadata().is_ok_and(|found| found.is_file()) {
        let _ = std::fs::set_permissions(old, Permissions::from_mode(0o600));
    }
}

fn filled(blanks: &[(&str, String)]) -> String {
    let fill = |text: String, (name, value): &(&str, String)| text.replace(name, value);
    blanks.iter().fold(TEMPLATE.to_owned(), fill)
}

/// On this machine only: nobody else can reach supervisord.
fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// 32 random bytes, in hexadecimal digits.
fn random() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// A path as a value: `%` begins a name there, `;` a comment.
fn value(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) if !text.contains(|c: char| c.is_control() || c == ';') => {
            Ok(text.replace('%', "%%"))
        }
        _ => Err(Failure::new(format!(
            "supervisord cannot be told the path {path:?}, because of a character in it"
        ))
        .hint("use a folder without semicolons and line breaks in its name")),
    }
}

/// Its words in quotes, for supervisord splits it as a shell would.
fn command_line(words: &[PathBuf]) -> Result<String> {
    let quoted = |word: &PathBuf| Ok(format!("'{}'", value(word)?.replace('\'', r#"'"'"'"#)));
    Ok(words
        .iter()
        .map(quoted)
        .collect::<Result<Vec<_>>>()?
        .join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_blanks_quotes_and_percent_signs_reach_the_program_as_they_are() {
        let words = ["/a b/it's", "100%"].map(PathBuf::from);
        assert_eq!(
            command_line(&words).ok().as_deref(),
            Some(r#"'/a b/it'"'"'s' '100%%'"#)
        );
        assert!(command_line(&["/a;b".into()]).is_err());
    }

    #[test]
    fn the_author_of_a_configuration_is_recognised() {
        assert_eq!(author_of(TEMPLATE), Author::Us);
        assert_eq!(
            author_of("[program:damnit]\ncommand = damnit listen .\n"),
            Author::Damnit
        );
        assert_eq!(author_of("[program:web]\ncommand = nginx\n"), Author::Other);
    }

    #[test]
    fn nobody_else_can_read_it_and_each_has_its_own_password() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let written = || {
            write(dir.path(), &["runledger".into()]).expect("it can be written");
            std::fs::read_to_string(path(dir.path())).expect("it can be read")
        };
        let (first, second) = (written(), written());
        let mode = path(dir.path()).metadata().expect("it is there");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        assert!(!first.contains('{'), "{first}");
        let password = |text: &str| {
            text.lines()
                .find(|l| l.starts_with("password="))
                .map(str::to_owned)
        };
        assert_ne!(password(&first), password(&second));
    }

    #[test]
    fn what_somebody_else_wrote_is_kept_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let theirs = "[program:damnit]\ncommand = damnit listen .\n";
        std::fs::write(path(dir.path()), theirs).expect("it can be written");
        let everybody = Permissions::from_mode(0o666);
        std::fs::set_permissions(path(dir.path()), everybody).expect("it is ours");
        write(dir.path(), &["runledger".into()]).expect("it can be written");
        let old = dir.path().join("supervisord.conf.old");
        assert_eq!(std::fs::read_to_string(&old).expect("it is kept"), theirs);
        let mode = old.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
