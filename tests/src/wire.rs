//! A network of its own for a real part, and the wire to it, which can be cut: what is sent then is lost, and nobody is
//! told that a connection has ended.

use std::process::Command;

use crate::process::Finished;
use crate::real_part::missing;

/// What the part's first process does, with its address: it says that it is in its own network, waits for the wire, and
/// becomes the part.
pub(crate) const INSIDE: &str = "echo apart && read -r _ && ip link set lo up && ip address add \"$0\" dev wire && \
     ip link set wire up && exec \"$@\"";

/// Where `ip` is may not be on everybody's path.
pub(crate) fn with_path(mut command: Command) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

fn ip(arguments: &[&str]) -> Command {
    let mut ip = with_path(Command::new("ip"));
    ip.args(arguments);
    ip
}

/// Whether this machine lets the test make networks. If not, as [`needs`](crate::needs).
pub(crate) fn may_have_networks() -> bool {
    let mut both = with_path(Command::new("unshare"));
    let tried = both
        .args([
            "--net", "ip", "link", "add", "name", "wire", "type", "veth", "peer", "name", "end",
        ])
        .output();
    match tried {
        Ok(tried) if tried.status.success() => true,
        Ok(tried) => {
            let why = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
            missing(&format!("no network of its own can be made: {why}"))
        }
        Err(why) => missing(&format!(
            "no network of its own can be made: unshare: {why}"
        )),
    }
}

/// The wire to a part. It goes with the part's network, when the last process there ends.
pub(crate) struct Wire {
    /// A process in the part's network.
    pid: u32,
}

/// A wire that is cut. Dropped, it is whole again.
pub struct Cut(u32);

/// Addresses for two that no other test's process has now.
fn addresses() -> [String; 2] {
    let own = std::process::id() % 16384;
    [1, 2].map(|end| format!("10.213.{}.{}", own / 64, own % 64 * 4 + end))
}

impl Wire {
    /// Where the part is.
    pub(crate) fn far_address() -> String {
        addresses()[1].clone()
    }

    /// Between this network and that of a process.
    ///
    /// # Panics
    /// The system refuses.
    pub(crate) fn to(pid: u32) -> Self {
        let (own, number) = (format!("rl{}", std::process::id()), pid.to_string());
        let near = format!("{}/30", addresses()[0]);
        let steps: [&[&str]; 3] = [
            &[
                "link", "add", &own, "type", "veth", "peer", "name", "wire", "netns", &number,
            ],
            &["address", "add", &near, "dev", &own],
            &["link", "set", &own, "up"],
        ];
        for step in steps {
            Finished::of(&mut ip(step)).succeeded();
        }
        Self { pid }
    }

    /// Cuts it at the far end, for as long as the value lives: here nothing is seen of that.
    ///
    /// # Panics
    /// The system refuses.
    pub(crate) fn cut(&self) -> Cut {
        set(self.pid, "down").succeeded();
        Cut(self.pid)
    }
}

fn set(pid: u32, state: &str) -> Finished {
    let mut there = with_path(Command::new("nsenter"));
    there.args(["--net", "--target", &pid.to_string()]);
    Finished::of(there.args(["ip", "link", "set", "wire", state]))
}

impl Drop for Cut {
    fn drop(&mut self) {
        // The part may have ended, and the wire with it.
        set(self.0, "up");
    }
}
