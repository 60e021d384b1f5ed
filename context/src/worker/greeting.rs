//! The first thing that a worker says, and what we make of it.

use std::path::Path;

use super::PROTOCOL;
use super::message::Hello;
use crate::error::{Error, Result};

/// The oldest Python that can run the runtime: major and minor version.
const OLDEST: (u32, u32) = (3, 9);

/// Refuses a Python that is too old, has no NumPy, or runs another version of the runtime.
pub(super) fn check(python: &Path, hello: Hello) -> Result<()> {
    let python = python.to_path_buf();
    if hello.protocol != PROTOCOL {
        return Err(Error::OtherProtocol {
            python,
            found: hello.protocol,
            expected: PROTOCOL,
        });
    }
    if version(&hello.python) < Some(OLDEST) {
        let version = hello.python;
        return Err(Error::TooOld { python, version });
    }
    if hello.numpy.is_none() {
        let reason = hello.reason.unwrap_or_else(|| "it is not installed".into());
        return Err(Error::NoNumpy { python, reason });
    }
    Ok(())
}

/// Major and minor number of `3.9.18`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}
