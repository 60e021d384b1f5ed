//! A real Kafka for tests, of one node.

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{python, script};
use crate::process::Finished;
use crate::real_part::{RealPart, is_installed};
use crate::wire::{Cut, Wire, may_have_networks};

const SCRIPT: &str = "kafka/kafka.sh";

/// Runs until it is dropped or the test's process ends.
pub struct Kafka {
    part: RealPart,
    /// `host:port`, the same as long as it lives.
    pub address: String,
    /// To a broker in a network of its own.
    wire: Option<Wire>,
}

/// A broker that does not get on: whoever is connected with it stays so, and hears nothing. Dropped, it goes on.
pub struct Frozen(Pid);

impl Kafka {
    /// With these topics, `NAME` or `NAME:PARTITIONS`, after `--set NAME=VALUE` for properties of the broker; None, and
    /// the test is written down as skipped, where Java is not installed or the jars of Kafka are not there and cannot be
    /// fetched.
    ///
    /// # Panics
    /// It does not start; or something is missing, and `CI=true`.
    pub fn start(topics: &[&str]) -> Option<Self> {
        is_installed(SCRIPT).then(|| Self::of(RealPart::start(SCRIPT, topics)))
    }

    /// In a network of its own; None also where the machine refuses that.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_apart() -> Option<Self> {
        (is_installed(SCRIPT) && may_have_networks()).then(|| {
            let at = ["--at", &Wire::far_address()];
            let (part, wire) = RealPart::start_apart(SCRIPT, &at);
            Self {
                wire: Some(wire),
                ..Self::of(part)
            }
        })
    }

    /// Where it asks for a password, and the password of the user `runledger`.
    ///
    /// # Panics
    /// The files that say so are not there.
    pub fn guarded(&self) -> (String, String) {
        let said = |name| {
            let text = std::fs::read_to_string(self.part.dir().join(name));
            text.expect("a file of the broker's").trim().to_owned()
        };
        (said("guarded-address"), said("password"))
    }

    /// Cuts the wire to a broker that was [started apart](Self::start_apart), for as long as the value lives.
    ///
    /// # Panics
    /// There is none.
    pub fn cut(&self) -> Cut {
        self.wire.as_ref().expect("a wire").cut()
    }

    fn of(part: RealPart) -> Self {
        let address = std::fs::read_to_string(part.dir().join("address"));
        Self {
            address: address.expect("the broker's address").trim().into(),
            part,
            wire: None,
        }
    }

    /// Makes more topics, `NAME` or `NAME:PARTITIONS`.
    ///
    /// # Panics
    /// It cannot.
    pub fn make_topics(&self, topics: &[&str]) {
        self.part.do_now(&[&["topic"], topics].concat());
    }

    /// Changes topics, as `tests/python/topics.py` says.
    ///
    /// # Panics
    /// It cannot.
    pub fn administer(&self, what: &[&str]) {
        let mut command = Command::new(python());
        command.arg(script("topics.py")).arg(&self.address);
        Finished::of(command.args(what)).succeeded();
    }

    /// Ends the broker as a crash would.
    ///
    /// # Panics
    /// It has ended already.
    pub fn kill(&self) {
        self.part.do_now(&["kill"]);
    }

    /// Starts the broker again, at the same address, with what it has kept.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_again(&self) {
        self.part.do_now(&["start"]);
    }

    /// Stops the broker in the middle of whatever it does, for as long as the value lives.
    ///
    /// # Panics
    /// It has ended.
    pub fn freeze(&self) -> Frozen {
        let known = std::fs::read_to_string(self.part.dir().join("processes/kafka"));
        let known = known.expect("the broker's process is written down");
        let pid = known
            .split_whitespace()
            .next()
            .and_then(|pid| pid.parse().ok());
        let pid = Pid::from_raw(pid.expect("a process id"));
        kill(pid, Signal::SIGSTOP).expect("the broker runs");
        Frozen(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}
