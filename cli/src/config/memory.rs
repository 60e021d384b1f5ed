//! An amount of memory as people and Slurm write it: `512M`, `25G`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Memory(pub(crate) u64);

/// Each is 1024 times the one before.
const UNITS: [&str; 5] = ["", "K", "M", "G", "T"];

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no amount of memory such as \"512M\" or \"25G\"");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = UNITS
            .iter()
            .position(|unit| *unit == &text[digits.len()..])
            .ok_or_else(wrong)?;
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        let bytes = number
            .checked_mul(1 << (10 * unit))
            .filter(|bytes| *bytes > 0);
        bytes.map(Self).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Memory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Memory> for String {
    fn from(memory: Memory) -> Self {
        memory.to_string()
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |unit: &usize| self.0.is_multiple_of(1 << (10 * unit));
        let unit = (0..UNITS.len()).rev().find(fits).unwrap_or(0);
        write!(f, "{}{}", self.0 >> (10 * unit), UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_slurm_does() {
        for (text, bytes) in [("100", 100), ("512M", 512 << 20), ("25G", 25 << 30)] {
            assert_eq!(text.parse(), Ok(Memory(bytes)));
            assert_eq!(Memory(bytes).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_with_an_example() {
        for text in ["", "G", "-1G", "1.5G", "25 G", "25GB", "0", "99999999999T"] {
            let why = text.parse::<Memory>().unwrap_err();
            assert!(why.contains("25G"), "{why}");
        }
    }
}
