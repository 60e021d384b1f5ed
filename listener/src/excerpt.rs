//! Of what others say, as much as fits into a line of a log: whoever can send a message chooses how long it is.

use std::borrow::Cow;

/// So many characters are enough to recognise it.
const SHOWN: usize = 200;

/// The beginning of a long text; a short one as it is.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_text_is_cut_and_never_within_a_character() {
        let fits = "€".repeat(SHOWN);
        assert_eq!(
            (excerpt(""), excerpt(&fits)),
            ("".into(), fits.as_str().into())
        );
        assert_eq!(excerpt(&"€".repeat(880_000)), format!("{fits}…"));
    }
}
