//! A real Kafka for tests, of one node.

use crate::real_part::{RealPart, is_installed};

const SCRIPT: &str = "kafka/kafka.sh";

/// Runs until it is dropped or the test's process ends.
pub struct Kafka {
    part: RealPart,
    /// `host:port`, the same as long as it lives.
    pub address: String,
}

impl Kafka {
    /// With these topics, `NAME` or `NAME:PARTITIONS`; None, and the test is written down as skipped, where Java is not
    /// installed or the jars of Kafka are not there and cannot be fetched.
    ///
    /// # Panics
    /// It does not start; or something is missing, and `CI=true`.
    pub fn start(topics: &[&str]) -> Option<Self> {
        is_installed(SCRIPT).then(|| {
            let part = RealPart::start(SCRIPT, topics);
            let address = std::fs::read_to_string(part.dir().join("address"));
            Self {
                address: address.expect("the broker's address").trim().into(),
                part,
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

    /// Makes more topics, `NAME` or `NAME:PARTITIONS`.
    ///
    /// # Panics
    /// It cannot.
    pub fn make_topics(&self, topics: &[&str]) {
        self.part.do_now(&[&["topic"], topics].concat());
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
}
