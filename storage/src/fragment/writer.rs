//! Which process writes a fragment: noted in it, so that what a dead one left can be told from what is being written.

use std::path::Path;

/// On `/` while a fragment is written: host, process namespace and number of its writer.
pub(super) const ATTRIBUTE: &str = "writer";

/// The words for this process.
pub(super) fn this() -> String {
    format!("{} {}", place(), std::process::id())
}

/// Whether a writer is known to be gone. Nothing is known of other hosts, and nothing of other namespaces; a number
/// that was given to another process since is taken for it.
pub(super) fn is_gone(writer: &str) -> bool {
    let Some((place, pid)) = writer.rsplit_once(' ') else {
        return false;
    };
    place == self::place() && pid.parse::<u32>().is_ok_and(|pid| !is_running(pid))
}

fn is_running(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // One that nobody has taken note of yet is dead all the same.
    status.is_ok_and(|status| {
        !status
            .rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z'))
    })
}

/// This host, and the namespace of its process numbers: containers have their own.
fn place() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let namespace = std::fs::read_link(Path::new("/proc/self/ns/pid")).unwrap_or_default();
    format!("{} {}", host.to_string_lossy(), namespace.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ended_process_of_this_place_is_gone() {
        assert!(!is_gone(&this()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = format!("{} {}", place(), child.id());
        child.wait().unwrap();
        assert!(is_gone(&dead));
        assert!(!is_gone(&format!("another-host pid:[1] {}", child.id())));
        assert!(!is_gone("") && !is_gone("nonsense"));
    }
}
