//! Which netgroup the user is in decides the partition of jobs with whole nodes.

use std::process::Command;
use std::time::Duration;

use tracing::warn;

use super::command::ask;
use super::settings::SlurmSettings;
use crate::queue::user_name;

/// How long the directory service may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// This user's partition; None: none is to be named.
pub(super) fn partition(settings: &SlurmSettings) -> Option<String> {
    let user = user_name();
    let own = settings
        .netgroups
        .iter()
        .find(|group| is_member(settings, &group.name, &user));
    let partition = own.map_or(&settings.other_partition, |group| &group.partition);
    Some(partition.clone()).filter(|partition| !partition.is_empty())
}

/// `getent netgroup GROUP HOST USER DOMAIN` asks innetgr(3), and prints `… = 1` or `… = 0`. Who cannot be asked
/// about is no member, as with innetgr.
fn is_member(settings: &SlurmSettings, group: &str, user: &str) -> bool {
    let mut command = Command::new(&settings.getent);
    command.args(["netgroup", group, "", user, ""]);
    match ask(command, PATIENCE) {
        Ok(answer) => answer.output.trim_end().ends_with("= 1"),
        Err(why) => {
            warn!("whether {user} is in the netgroup {group} is not known: {why}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A `getent` that prints what the real one does for a member of `of`.
    fn directory(folder: &std::path::Path, of: &str) -> SlurmSettings {
        let path = folder.join("getent");
        let script =
            format!("#!/bin/sh\n[ \"$2\" = {of} ] && yes=1 || yes=0\necho \"$2  (,$4,) = $yes\"\n");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        SlurmSettings {
            getent: path,
            ..SlurmSettings::default()
        }
    }

    #[test]
    fn the_first_netgroup_of_the_user_decides() {
        let folder = tempfile::tempdir().unwrap();
        for (group, expected) in [
            ("exfel-wgs-users", "exfel"),
            ("upex-users", "upex"),
            ("others", "all"),
        ] {
            let settings = directory(folder.path(), group);
            assert_eq!(partition(&settings).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_machine_without_a_directory_has_the_partition_of_all_others() {
        let settings = SlurmSettings {
            getent: "/no/getent".into(),
            other_partition: String::new(),
            ..SlurmSettings::default()
        };
        assert_eq!(partition(&settings), None);
    }
}
