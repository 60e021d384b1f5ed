//! Who keeps a database locked: people end a program sooner when they are told which.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, User};

/// The program on this machine that has a lock on the database at `path`, for people: `python3, process 4711 of alice`.
/// None if there is none, such as for a lock from another host. This process does not count.
///
/// Who writes is named rather than who reads. With a write-ahead log everybody has a lock on the database itself, and who
/// writes has one on the index of the log.
///
/// The locks are read from the system's list: to open the file and close it again would drop SQLite's own.
pub fn holder(path: &Path) -> Option<String> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let mut index = path.as_os_str().to_owned();
    index.push("-shm");
    let index = Path::new(&index);
    let found = match index.is_file() {
        true => holder_of(index, &locks, true),
        false => holder_of(path, &locks, true).or_else(|| holder_of(path, &locks, false)),
    };
    found.map(described)
}

fn holder_of(file: &Path, locks: &str, writes: bool) -> Option<u32> {
    let wanted = fs::metadata(file).ok()?.ino();
    let own = std::process::id();
    let mut holders = locks.lines().filter_map(lock);
    let found = holders.find(|lock| {
        let fits = lock.inode == wanted && (lock.writes || !writes);
        fits && lock.process != own && has_open(lock.process, file)
    });
    found.map(|lock| lock.process)
}

/// A line of the system's list.
#[derive(Debug, PartialEq, Eq)]
struct Lock {
    writes: bool,
    process: u32,
    inode: u64,
}

/// Of a line such as `3: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF`.
fn lock(line: &str) -> Option<Lock> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "POSIX")?;
    Some(Lock {
        writes: *words.get(at + 2)? == "WRITE",
        process: words.get(at + 3)?.parse().ok()?,
        inode: words.get(at + 4)?.rsplit(':').next()?.parse().ok()?,
    })
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
        let of = |writes, process, inode| Lock {
            writes,
            process,
            inode,
        };
        assert_eq!(lock(held), Some(of(true, 4711, 1234)));
        let waiting = "1: -> POSIX  ADVISORY  READ 12 fd:00:99 0 EOF";
        assert_eq!(lock(waiting), Some(of(false, 12, 99)));
        assert_eq!(lock("2: FLOCK  ADVISORY  WRITE 5 08:01:7 0 EOF"), None);
        assert_eq!(lock(""), None);
    }
}
