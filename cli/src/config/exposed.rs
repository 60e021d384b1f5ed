//! A configuration that others, or context files in their sandbox, can read although there are passwords in it, or that
//! others can write: it names the programs that are run.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Config;

const GROUP_READS: u32 = 0o040;
const ALL_READ: u32 = 0o004;
const ALL_WRITE: u32 = 0o002;

/// What its file's mode lets others do, with what to do about it.
pub(crate) fn exposed(config: &Config, file: Option<&Path>) -> Vec<String> {
    // One that is not there has been told of by whoever wanted to read it.
    let found = file.and_then(|file| Some((file, file.metadata().ok()?)));
    let Some((file, about)) = found else {
        return Vec::new();
    };
    let (mode, secrets) = (about.mode(), secrets(config));
    let is_ours = about.uid() == nix::unistd::geteuid().as_raw();
    let mut found = Vec::new();
    if let Some(remedy) = remedy(mode, is_ours).filter(|_| !secrets.is_empty()) {
        found.push(format!(
            "others can read {}, and there are secrets in it: {}; say `{remedy}` to it, and change those that were read",
            file.display(),
            secrets.join(", ")
        ));
    }
    if config.sandbox.lets_read(file) && !secrets.is_empty() {
        found.push(format!(
            "context files can read {} in their sandbox, and there are secrets in it: {}; put it into a folder that they \
             do not read, neither /etc nor one of `[sandbox]`",
            file.display(),
            secrets.join(", ")
        ));
    }
    if mode & ALL_WRITE != 0 {
        found.push(format!(
            "everybody can write {}, and so say which programs are run here; say `chmod o-w` to it",
            file.display()
        ));
    }
    found
}

/// What ends it that others read the file. One that is somebody else's, root's for example, we may read by our group.
fn remedy(mode: u32, is_ours: bool) -> Option<&'static str> {
    match is_ours {
        true => (mode & (GROUP_READS | ALL_READ) != 0).then_some("chmod 600"),
        false => (mode & ALL_READ != 0).then_some("chmod o-r"),
    }
}

fn secrets(config: &Config) -> Vec<&str> {
    let both = [&config.notifications.properties, &config.updates.properties];
    let mut names: Vec<&str> = both.iter().flat_map(|some| some.secrets()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_listener::kafka::Properties;
    use runledger_listener::settings::Profile;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    fn told(mode: u32, config: &Config) -> usize {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::set_permissions(file.path(), Permissions::from_mode(mode)).expect("it is ours");
        exposed(config, Some(file.path())).len()
    }

    #[test]
    fn a_file_with_a_password_is_its_owners_alone() {
        let plain = Config::of(Profile::Maxwell);
        let mut secret = plain.clone();
        secret.updates.properties = Properties::from([("sasl.password".into(), "x".into())]);
        for (mode, of_plain, of_secret) in [
            (0o600, 0, 0),
            (0o640, 0, 1),
            (0o604, 0, 1),
            (0o664, 0, 1),
            (0o666, 1, 2),
        ] {
            assert_eq!(told(mode, &plain), of_plain, "{mode:o}");
            assert_eq!(told(mode, &secret), of_secret, "{mode:o}");
        }
    }

    #[test]
    fn a_file_with_a_password_lies_where_no_context_file_reads() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("runledger.toml");
        std::fs::write(&file, "").expect("a file");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        let mut config = Config::of(Profile::Maxwell);
        config.updates.properties = Properties::from([("sasl.password".into(), "x".into())]);
        config.sandbox.read = vec![dir.path().display().to_string()];
        assert_eq!(exposed(&config, Some(&file)).len(), 0);
        config.sandbox.mode = runledger_sandbox::Mode::On;
        let told = exposed(&config, Some(&file));
        assert!(told[0].contains("in their sandbox"), "{told:?}");
        config.updates.properties = Properties::default();
        assert_eq!(exposed(&config, Some(&file)).len(), 0);
    }

    #[test]
    fn a_file_of_roots_may_be_read_by_the_services_group() {
        assert_eq!(remedy(0o640, false), None);
        assert_eq!(remedy(0o644, false), Some("chmod o-r"));
        assert_eq!(remedy(0o640, true), Some("chmod 600"));
    }

    #[test]
    fn without_a_file_nothing_is_exposed() {
        assert!(exposed(&Config::of(Profile::Maxwell), None).is_empty());
    }
}
