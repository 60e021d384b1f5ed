//! Reading a text that people write: a context file, a configuration. Where others may write into its folder, it can be
//! anything by the time it is read.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

/// No text of a person's is longer, in bytes.
pub const LONGEST: u64 = 16 << 20;

/// Reads a text file; a link to one is one.
///
/// # Errors
/// The system's; and it is something else, such as a pipe, whose other end is not waited for, or is too long.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Opens a text file, as [`read`] does.
///
/// # Errors
/// As for [`read`].
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let about = file.metadata()?;
    match about.is_file() {
        false => Err(io::Error::other("it is no regular file")),
        true if about.len() > LONGEST => Err(io::Error::other(format!(
            "it has {} bytes, more than the {LONGEST} that a text may have",
            about.len()
        ))),
        true => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_devices_folders_and_endless_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("device")).unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        File::create(path("endless"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        for (name, why) in [
            ("pipe", "no regular file"),
            ("device", "no regular file"),
            ("folder", "no regular file"),
            ("endless", "1099511627776 bytes"),
        ] {
            let refused = read(&path(name)).unwrap_err().to_string();
            assert!(refused.contains(why), "{name}: {refused}");
        }
        std::fs::write(path("text"), "words").unwrap();
        std::os::unix::fs::symlink("text", path("link")).unwrap();
        assert_eq!(read(&path("link")).unwrap(), "words");
    }
}
