//! Which file submissions may be followed: whoever can write to the topic names paths, so they are looked at first.

use std::io;
use std::path::{Path, PathBuf};

use runledger_context::run::RunId;
use runledger_storage::fragment::Fragment;
use serde::{Deserialize, Serialize};

use crate::excerpt::excerpt;

/// A request to merge one fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The database's folder.
    pub database_dir: PathBuf,
    /// The fragment.
    pub fragment: PathBuf,
    /// The run.
    pub run: RunId,
}

/// Why a message on the topic of file submissions is not followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another kind of message; nothing to do.
    #[error("it is no file submission")]
    NotForUs,
    /// Not what a file submission looks like.
    #[error("it cannot be read: {}", excerpt(.0))]
    Unreadable(String),
    /// The folder has no database.
    #[error("{} is no folder with a runs.sqlite", excerpt(&.0.to_string_lossy()))]
    NoDatabase(PathBuf),
    /// The file is not where fragments are, or not named like one of this run.
    #[error(
        "{} is not the name of a fragment of {run} in {}",
        excerpt(&file.to_string_lossy()), excerpt(&folder.to_string_lossy())
    )]
    NotAFragment {
        /// The file.
        file: PathBuf,
        /// Where it would have to be.
        folder: PathBuf,
        /// The run.
        run: RunId,
    },
    /// Something else than a regular file has the fragment's name.
    #[error("{} is no regular file", excerpt(&.0.to_string_lossy()))]
    NotAFile(PathBuf),
}

#[derive(Deserialize)]
struct Envelope {
    msg_kind: String,
    data: serde_json::Value,
}

#[derive(Deserialize)]
struct Data {
    damnit_dir: PathBuf,
    new_file: PathBuf,
    #[serde(flatten)]
    run: RunId,
}

impl Submission {
    /// What a message asks for; whether that may be done is still to be [checked](Self::check).
    ///
    /// # Errors
    /// [`Refusal`]: it does not ask for anything.
    pub fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let unreadable = |e: serde_json::Error| Refusal::Unreadable(e.to_string());
        let envelope: Envelope = serde_json::from_slice(payload).map_err(unreadable)?;
        if envelope.msg_kind != "file_submission" {
            return Err(Refusal::NotForUs);
        }
        let Data {
            damnit_dir,
            new_file,
            run,
        } = serde_json::from_value(envelope.data).map_err(unreadable)?;
        Ok(Self {
            database_dir: damnit_dir,
            fragment: new_file,
            run,
        })
    }

    /// Looks whether it may be followed.
    ///
    /// # Errors
    /// [`Refusal`], saying why not.
    pub fn check(&self) -> Result<(), Refusal> {
        let Self {
            database_dir,
            fragment,
            run,
        } = self;
        if !database_dir.is_absolute() || !is_regular(&database_dir.join("runs.sqlite")) {
            return Err(Refusal::NoDatabase(database_dir.clone()));
        }
        let folder = database_dir.join("extracted_data");
        let named_so = Fragment::of(fragment).is_some_and(|fragment| fragment.run == *run);
        if !named_so || !is_directly_in(fragment, &folder) {
            return Err(Refusal::NotAFragment {
                file: fragment.clone(),
                folder,
                run: *run,
            });
        }
        match std::fs::symlink_metadata(fragment) {
            Ok(found) if !found.is_file() => Err(Refusal::NotAFile(fragment.clone())),
            // No file will ever have such a name.
            Err(why) if why.kind() == io::ErrorKind::InvalidFilename => {
                Err(Refusal::NotAFile(fragment.clone()))
            }
            // Not there (yet): a network file system may show it later.
            _ => Ok(()),
        }
    }

    /// Whether the fragment can be seen.
    pub fn is_there(&self) -> bool {
        is_regular(&self.fragment)
    }
}

fn is_regular(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Without `..` and without a link on the way: the same folder by name and in truth.
fn is_directly_in(file: &Path, folder: &Path) -> bool {
    let parent = file.parent().unwrap_or(Path::new(""));
    match (parent.canonicalize(), folder.canonicalize()) {
        (Ok(parent), Ok(folder)) => parent == folder,
        _ => parent == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("extracted_data")).unwrap();
            std::fs::write(folder.path().join("runs.sqlite"), "").unwrap();
            Self(folder)
        }

        fn fragment(&self, name: &str) -> PathBuf {
            self.0.path().join("extracted_data").join(name)
        }

        fn ask(&self, file: &Path) -> Result<Submission, Refusal> {
            let message = serde_json::json!({"msg_kind": "file_submission", "data": {
                "damnit_dir": self.0.path(), "new_file": file, "proposal": 1234, "run": 7,
                "computed_by": {"hostname": "h", "username": "u"}}});
            let submission = Submission::parse(message.to_string().as_bytes())?;
            submission.check().map(|()| submission)
        }
    }

    #[test]
    fn a_fragment_in_its_place_is_accepted_there_or_not_there_yet() {
        let folder = Folder::new();
        let file = folder.fragment("p1234_r7.abc.ready.h5");
        assert!(!folder.ask(&file).unwrap().is_there());
        std::fs::write(&file, "").unwrap();
        assert!(folder.ask(&file).unwrap().is_there());
    }

    #[test]
    fn a_fragment_of_another_run_or_by_another_name_is_refused() {
        let folder = Folder::new();
        for name in [
            "p1234_r8.abc.ready.h5",
            "p1234_r7.h5",
            "p1234_r7.abc.writing.h5",
            "../runs.sqlite",
            "x",
        ] {
            let refused = folder.ask(&folder.fragment(name)).unwrap_err();
            assert!(
                matches!(refused, Refusal::NotAFragment { .. }),
                "{name}: {refused}"
            );
        }
    }

    #[test]
    fn a_file_outside_of_the_folder_is_refused() {
        let folder = Folder::new();
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("p1234_r7.abc.ready.h5");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(
            folder.ask(&file),
            Err(Refusal::NotAFragment { .. })
        ));
        let around = folder
            .fragment("..")
            .join("extracted_data")
            .join("..")
            .join("p1234_r7.abc.ready.h5");
        assert!(matches!(
            folder.ask(&around),
            Err(Refusal::NotAFragment { .. })
        ));
    }

    #[test]
    fn a_link_and_a_fifo_by_a_fragments_name_are_refused() {
        let folder = Folder::new();
        let (link, fifo) = (
            folder.fragment("p1234_r7.a.ready.h5"),
            folder.fragment("p1234_r7.b.ready.h5"),
        );
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(folder.ask(&link), Err(Refusal::NotAFile(link)));
        assert_eq!(folder.ask(&fifo), Err(Refusal::NotAFile(fifo)));
    }

    #[test]
    fn what_is_too_long_to_be_a_name_is_refused_in_a_few_words() {
        let folder = Folder::new();
        let long = "9".repeat(880_000);
        let said = |file: &Path| folder.ask(file).unwrap_err().to_string();
        let nobodys = Submission {
            database_dir: format!("/{long}").into(),
            fragment: "/x".into(),
            run: RunId::new(1234, 7),
        };
        let unreadable = format!(
            r#"{{"msg_kind": "file_submission", "data": {{"damnit_dir": "/d", "new_file": "/f", "proposal": "{long}"}}}}"#
        );
        for why in [
            said(&folder.fragment(&format!("p1234_r7.{long}.ready.h5"))),
            said(Path::new(&format!("/{long}"))),
            nobodys.check().unwrap_err().to_string(),
            Submission::parse(unreadable.as_bytes())
                .unwrap_err()
                .to_string(),
        ] {
            assert!(why.len() < 600 && why.contains('…'), "{why:.600}");
        }
    }

    #[test]
    fn a_folder_without_a_database_is_refused() {
        let folder = Folder::new();
        std::fs::remove_file(folder.0.path().join("runs.sqlite")).unwrap();
        let refused = folder.ask(&folder.fragment("p1234_r7.abc.ready.h5"));
        assert_eq!(refused, Err(Refusal::NoDatabase(folder.0.path().into())));
    }

    #[test]
    fn another_kind_of_message_is_not_for_us_and_nonsense_says_why() {
        assert_eq!(
            Submission::parse(br#"{"msg_kind": "x", "data": {}}"#),
            Err(Refusal::NotForUs)
        );
        for nonsense in [
            "",
            "7",
            r#"{"msg_kind": "file_submission", "data": {"run": -7}}"#,
        ] {
            assert!(
                matches!(
                    Submission::parse(nonsense.as_bytes()),
                    Err(Refusal::Unreadable(_))
                ),
                "{nonsense}"
            );
        }
    }
}
