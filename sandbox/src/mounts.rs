//! What is mounted, and how, as the kernel tells it: proc_pid_mountinfo(5).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

/// What is mounted below a folder, with the flags that it was given.
pub(crate) fn mounts(below: &Path) -> io::Result<Vec<(PathBuf, MsFlags)>> {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    let found = text.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        let place = PathBuf::from(unescaped(fields.next()?));
        place
            .starts_with(below)
            .then(|| Some((place, flags(fields.next()?))))?
    });
    Ok(found.collect())
}

fn flags(words: &str) -> MsFlags {
    let flag = |word: &str| match word {
        "ro" => MsFlags::MS_RDONLY,
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        "noatime" => MsFlags::MS_NOATIME,
        "nodiratime" => MsFlags::MS_NODIRATIME,
        "relatime" => MsFlags::MS_RELATIME,
        _ => MsFlags::empty(),
    };
    words.split(',').map(flag).collect()
}

/// Blanks and the like stand there as octal numbers.
fn unescaped(field: &str) -> String {
    let escaped = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let replace = |text: String, (code, meant): (&str, &str)| text.replace(code, meant);
    escaped.into_iter().fold(field.to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_a_mount_are_read_as_the_kernel_writes_them() {
        assert_eq!(
            flags("rw,nosuid,noexec,relatime"),
            MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_RELATIME
        );
        assert_eq!(unescaped(r"/a\040b\134c"), r"/a b\c");
    }
}
