//! A cell in words and numbers, for tables that can't draw.

use std::fmt;

use rusqlite::types::ValueRef;

/// What a cell shows where pictures can't be drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Nothing.
    Null,
    /// Yes or no, of a user variable.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any number.
    Number(f64),
    /// A text.
    Text(String),
    /// A thumbnail.
    Image,
    /// A sparkline.
    Trendline,
    /// A small array.
    Array,
    /// A complex number.
    Complex {
        /// Its real part.
        re: f64,
        /// Its imaginary part.
        im: f64,
    },
    /// Bytes of a kind that is not known here.
    Bytes,
    /// The variable failed.
    Error {
        /// The exception's class.
        class: String,
        /// Its message.
        message: String,
    },
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(yes) => write!(f, "{yes}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Image => f.write_str("<image>"),
            Self::Trendline => f.write_str("<trendline>"),
            Self::Array => f.write_str("<array>"),
            Self::Complex { re, im } => write!(f, "{re}{im:+}j"),
            Self::Bytes => f.write_str("<bytes>"),
            Self::Error { class, message } => write!(f, "{class}: {message}"),
        }
    }
}

impl Shown {
    /// From a cell's value and its `summary_type`. Of bytes only the first 16 need to be there.
    pub(super) fn from_cell(value: ValueRef<'_>, summary_type: Option<&str>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Number(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::from_bytes(bytes, summary_type.unwrap_or_default()),
        }
    }

    /// Pictures have no `summary_type`, as DAMNIT's client takes it.
    fn from_bytes(bytes: &[u8], summary_type: &str) -> Self {
        match summary_type {
            "" => Self::Image,
            "trendline" => Self::Trendline,
            "numpy" => Self::Array,
            "complex" => Self::complex(bytes).unwrap_or(Self::Bytes),
            _ => Self::Bytes,
        }
    }

    /// Two little-endian doubles.
    fn complex(bytes: &[u8]) -> Option<Self> {
        let (re, im) = (bytes.get(..8)?, bytes.get(8..16)?);
        Some(Self::Complex {
            re: f64::from_le_bytes(re.try_into().ok()?),
            im: f64::from_le_bytes(im.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_named_by_their_summary_type() {
        let shown = |bytes: &[u8], of| Shown::from_cell(ValueRef::Blob(bytes), of).to_string();
        assert_eq!(shown(b"\x89PNG", None), "<image>");
        assert_eq!(shown(b"\x93NUMPY", Some("trendline")), "<trendline>");
        assert_eq!(shown(b"\x93NUMPY", Some("numpy")), "<array>");
        assert_eq!(shown(b"?", Some("later")), "<bytes>");
        assert_eq!(shown(b"short", Some("complex")), "<bytes>");
    }

    #[test]
    fn a_complex_number_is_written_as_python_does() {
        let bytes = [1.5_f64.to_le_bytes(), (-2.0_f64).to_le_bytes()].concat();
        let shown = Shown::from_cell(ValueRef::Blob(&bytes), Some("complex"));
        assert_eq!(shown.to_string(), "1.5-2j");
    }
}
