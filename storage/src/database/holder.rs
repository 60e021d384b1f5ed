//! Who keeps a database locked: people end a program sooner when they are told which.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, User};

/// The program on this machine that has a lock on the file at `path`, for people: `python3, process 4711 of alice`.
/// None if there is none, such as for a lock from another host. This process does not count.
///
/// The locks are read from the system's list: to open the file and close it again would drop SQLite's own.
pub(crate) fn holder(path: &Path) -> Option<String> {
    let wanted = fs::metadata(path).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let mut holders = locks.lines().filter_map(lock);
    let own = std::process::id();
    let (process, _) = holders
        .find(|(process, inode)| *inode == wanted && *process != own && has_open(*process, path))?;
    Some(described(process))
}

/// Process and inode of a line such as `3: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF`.
fn lock(line: &str) -> Option<(u32, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "POSIX")?;
    let process = words.get(at + 3)?.parse().ok()?;
    let inode = words.get(at + 4)?.rsplit(':').next()?.parse().ok()?;
    Some((process, inode))
}

/// Another file system may have the same inode. What other accounts have open is not told: they are believed.
fn has_open(process: u32, path: &Path) -> bool {
    let (Ok(opened), Ok(path)) = (
        fs::read_dir(format!("/proc/{process}/fd")),
        path.canonicalize(),
    ) else {
        return true;
    };
    let mut places = opened.flatten().map(|entry| fs::read_link(entry.path()));
    places.any(|place| place.is_ok_and(|place| place == path))
}

fn described(process: u32) -> String {
    let about = format!("/proc/{process}");
    let name = fs::read_to_string(format!("{about}/comm")).unwrap_or_default();
    let owner = fs::metadata(&about).ok();
    let account = owner.and_then(|of| User::from_uid(Uid::from_raw(of.uid())).ok().flatten());
    let account = account.map_or(String::new(), |user| format!(" of {}", user.name));
    match name.trim() {
        "" => format!("process {process}{account}"),
        name => format!("{name}, process {process}{account}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_systems_list_tells_process_and_inode() {
        let held = "1: POSIX  ADVISORY  WRITE 4711 08:01:1234 1073741825 1073741825";
        assert_eq!(lock(held), Some((4711, 1234)));
        let waiting = "1: -> POSIX  ADVISORY  WRITE 12 fd:00:99 0 EOF";
        assert_eq!(lock(waiting), Some((12, 99)));
        assert_eq!(lock("2: FLOCK  ADVISORY  WRITE 5 08:01:7 0 EOF"), None);
        assert_eq!(lock(""), None);
    }
}
