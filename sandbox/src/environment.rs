//! Which variables of the environment context files do not see: secrets, and ways to other programs of the user's.

use std::ffi::OsString;

/// A name with one of these words tells of a secret.
const SECRET: [&str; 10] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
];
/// Names that begin so lead to programs and services of the user's.
const WAYS: [&str; 14] = [
    "AMORE_BROKER",
    "AWS_",
    "DBUS_",
    "DISPLAY",
    "GPG_",
    "KAFKA_",
    "KRB5",
    "RUNLEDGER_CONFIG",
    "RUNLEDGER_SANDBOX_ARGS",
    "SLURM_JWT",
    "SSH_",
    "WAYLAND_",
    "XAUTHORITY",
    "XDG_",
];

/// The variables of this process's environment that are hidden, with those that the site names: a `*` at the end of
/// such a name stands for any rest.
pub(crate) fn hidden(named: &[String]) -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names
        .filter(|name| is_hidden(&name.to_string_lossy(), named))
        .collect()
}

fn is_hidden(name: &str, named: &[String]) -> bool {
    let upper = name.to_uppercase();
    let is_named = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    SECRET.iter().any(|word| upper.contains(word))
        || WAYS.iter().any(|word| upper.starts_with(word))
        || named.iter().any(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_the_site_names_are_hidden_and_the_rest_is_not() {
        let named = ["MINE_*".to_owned(), "ONE".to_owned()];
        for name in [
            "KAFKA_SASL_PASSWORD",
            "github_token",
            "SSH_AUTH_SOCK",
            "MINE_TOO",
            "ONE",
        ] {
            assert!(is_hidden(name, &named), "{name}");
        }
        for name in [
            "PATH",
            "PYTHONPATH",
            "OMP_NUM_THREADS",
            "XFEL_DATA_ROOT",
            "MINE",
            "ONES",
        ] {
            assert!(!is_hidden(name, &named), "{name}");
        }
    }
}
