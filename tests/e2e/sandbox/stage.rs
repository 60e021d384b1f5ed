//! A site whose context files are in a sandbox, and things outside that they are to keep from.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;

use runledger_tests::{Finished, Site};

/// All that there is.
pub(crate) const ALL: [&str; 3] = ["namespaces", "landlock", "seccomp"];

/// The site, and what listens outside.
pub(crate) struct Stage {
    pub(crate) site: Site,
    port: u16,
    _listening: (TcpListener, UnixListener, UnixListener),
}

impl Stage {
    /// Without a sandbox.
    pub(crate) fn open() -> Self {
        let site = Site::quiet();
        let outside = site.path("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("secret"), "a key").unwrap();
        let tcp = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let name = SocketAddr::from_abstract_name(outside.as_os_str().as_encoded_bytes()).unwrap();
        Self {
            port: tcp.local_addr().unwrap().port(),
            _listening: (
                tcp,
                UnixListener::bind(outside.join("socket")).unwrap(),
                UnixListener::bind_addr(&name).unwrap(),
            ),
            site,
        }
    }

    /// With one of these parts, and more lines of settings.
    pub(crate) fn of(parts: &[&str], settings: &str) -> Self {
        let stage = Self::open();
        let group = format!("[sandbox]\nmode = \"on\"\nparts = {parts:?}\n{settings}[jobs]\n");
        stage.site.configure("[jobs]\n", &group);
        stage
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.site.path("outside")
    }

    /// A context file of these variables: name and body. Its constants tell what is outside.
    pub(crate) fn context(&self, variables: &[(&str, &str)]) {
        let mut text = format!(
            "import ctypes, os, socket, subprocess, sys, tempfile\nfrom damnit_ctx import Variable\n\n\
             OUTSIDE = {:?}\nPORT = {}\nOTHER = {}\nlibc = ctypes.CDLL(None, use_errno=True)\n",
            self.outside(),
            self.port,
            std::process::id()
        );
        for (name, body) in variables {
            let body = body.replace('\n', "\n    ");
            text += &format!("\n@Variable()\ndef {name}(run):\n    {body}\n");
        }
        self.site.init(&text);
    }

    /// Evaluates run 7.
    pub(crate) fn extract(&self) -> Finished {
        let arguments = ["extract", "1234", "7", "all", "--mock", "--update-vars"];
        let mut job = self.site.command(&self.site.db(), &arguments);
        Finished::of(job.env("KAFKA_SASL_PASSWORD", "hidden"))
    }

    /// What became of a variable: its value as text.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let sql = format!("SELECT CAST(value AS TEXT) FROM run_variables WHERE name='{name}'");
        self.site.text(&sql)
    }
}
