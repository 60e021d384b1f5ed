//! What a variable may be called.

use std::fmt;

/// Names that the table keeps for itself, apart from `comment`.
const OWN_COLUMNS: [&str; 4] = ["proposal", "run", "start_time", "added_at"];
/// The users' text on a run: a cell without a variable.
pub(super) const COMMENT: &str = "comment";

/// Why a cell or a variable was not saved. The others of the same call were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its name is not one or more identifiers joined by dots.
    NotAName,
    /// Its name belongs to the table itself.
    Reserved,
    /// People fill in a variable of this name by hand: what they wrote is kept.
    UserVariable,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAName => "the name is not an identifier, nor identifiers joined by dots",
            Self::Reserved => "the name is reserved for a column of the table itself",
            Self::UserVariable => "people fill in a variable of this name by hand",
        })
    }
}

/// Whether `name` is one or more Python identifiers joined by dots (`group.variable`).
pub fn is_variable_name(name: &str) -> bool {
    name.split('.').all(is_identifier)
}

/// As Python's `str.isidentifier`.
fn is_identifier(word: &str) -> bool {
    let mut characters = word.chars();
    characters
        .next()
        .is_some_and(|first| first == '_' || unicode_ident::is_xid_start(first))
        && characters.all(unicode_ident::is_xid_continue)
}

/// Whether `name` can name a variable at all; `comment` can't.
pub(super) fn check_variable(name: &str) -> Result<(), Refusal> {
    match name {
        COMMENT => Err(Refusal::Reserved),
        _ => check_cell(name),
    }
}

/// Whether `name` can name a cell: any variable's, or `comment`.
pub(super) fn check_cell(name: &str) -> Result<(), Refusal> {
    if OWN_COLUMNS.contains(&name) {
        Err(Refusal::Reserved)
    } else if is_variable_name(name) {
        Ok(())
    } else {
        Err(Refusal::NotAName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers_of_any_language_joined_by_dots() {
        for name in ["a", "_x1", "group.variable", "énergie", "λ", "変数", "x·y"] {
            assert_eq!(check_variable(name), Ok(()), "{name}");
        }
        for name in [
            "", ".", "a.", ".a", "a..b", "1a", "a b", "a-b", "a'b", "a\"b", "a:1", "·x", "a\0",
        ] {
            assert_eq!(check_variable(name), Err(Refusal::NotAName), "{name:?}");
        }
    }

    #[test]
    fn the_tables_own_columns_are_reserved() {
        for name in OWN_COLUMNS {
            assert_eq!(check_cell(name), Err(Refusal::Reserved));
        }
        assert_eq!(check_variable(COMMENT), Err(Refusal::Reserved));
        assert_eq!(check_cell(COMMENT), Ok(()));
    }
}
