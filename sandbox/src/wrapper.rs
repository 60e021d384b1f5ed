//! A command of the site's that runs the words after it, as DAMNIT's `sandbox_args`: it is told the proposal, and
//! after `--` what it is to run.

use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{fmt, io};

use crate::{Error, Result};

/// A wrapper that sets up a container may take a while; one that takes this long never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// The wrapper's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapper {
    words: Vec<String>,
    given: String,
}

impl Wrapper {
    /// The words of a command line, quoted as a shell does; None where there are none.
    ///
    /// # Errors
    /// [`Error::Words`].
    pub fn parse(given: &str) -> Result<Option<Self>> {
        let words = shell_words::split(given).map_err(|why| Error::Words {
            words: given.into(),
            why: why.to_string(),
        })?;
        let given = given.to_owned();
        Ok((!words.is_empty()).then_some(Self { words, given }))
    }

    /// What stands before a command for this proposal.
    pub(crate) fn before(&self, proposal: u32) -> Vec<OsString> {
        let own = self.words.iter().cloned();
        let told = [proposal.to_string(), "--".to_owned()];
        own.chain(told).map(OsString::from).collect()
    }

    /// Who a command is that it runs; a wrapper that is not there, fails or hangs shows itself here.
    ///
    /// # Errors
    /// [`Error::NotStarted`], [`Error::Refuses`], [`Error::Hangs`].
    pub fn user(&self, proposal: u32) -> Result<String> {
        self.user_within(proposal, PATIENCE)
    }

    fn user_within(&self, proposal: u32, limit: Duration) -> Result<String> {
        let words = self.before(proposal);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("whoami").stdin(Stdio::null());
        let output = heard(command, limit).map_err(|source| match source.kind() {
            io::ErrorKind::TimedOut => Error::Hangs {
                words: self.to_string(),
                limit,
            },
            _ => Error::NotStarted {
                words: self.to_string(),
                source,
            },
        })?;
        let [said, complaint] = [&output.stdout, &output.stderr]
            .map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
        match output.status.success() && !said.is_empty() {
            true => Ok(said),
            false => Err(Error::Refuses {
                words: self.to_string(),
                how: format!("`whoami` in it ended with {}: {complaint}", output.status),
            }),
        }
    }
}

impl fmt::Display for Wrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

/// What a command prints, if it ends in time; else it is killed.
fn heard(mut command: Command, limit: Duration) -> io::Result<std::process::Output> {
    use std::os::unix::process::CommandExt;
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let (done, output) = mpsc::channel();
    std::thread::spawn(move || done.send(Child::wait_with_output(child)));
    output.recv_timeout(limit).unwrap_or_else(|_| {
        // It may have ended just now.
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        Err(io::ErrorKind::TimedOut.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapper(given: &str) -> Wrapper {
        Wrapper::parse(given).unwrap().unwrap()
    }

    #[test]
    fn its_words_are_quoted_as_in_a_shell_and_the_proposal_follows() {
        let words = wrapper("/a/b 'two words' --c=\"d e\"").before(1234);
        assert_eq!(words, ["/a/b", "two words", "--c=d e", "1234", "--"]);
        assert_eq!(Wrapper::parse(" ").unwrap(), None);
        assert!(Wrapper::parse("a 'b").is_err());
    }

    #[test]
    fn one_that_runs_programs_tells_who_they_are() {
        let user = wrapper("sh -c 'shift 2; exec \"$@\"' 0")
            .user(1234)
            .unwrap();
        let id = nix::unistd::geteuid();
        let me = nix::unistd::User::from_uid(id).unwrap().unwrap();
        assert_eq!(user, me.name);
    }

    #[test]
    fn one_that_is_missing_fails_or_hangs_is_named_with_the_reason() {
        let missing = wrapper("/no/wrapper").user(1).unwrap_err();
        assert!(matches!(missing, Error::NotStarted { .. }), "{missing}");
        let failing = wrapper("sh -c 'echo no room >&2; exit 3'").user(1);
        let failing = failing.unwrap_err().to_string();
        assert!(
            failing.contains("no room") && failing.contains('3'),
            "{failing}"
        );
        let hanging = wrapper("sh -c 'sleep 600'").user_within(1, Duration::from_millis(50));
        assert!(matches!(hanging, Err(Error::Hangs { .. })), "{hanging:?}");
    }
}
