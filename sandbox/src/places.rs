//! Where a program finds what it needs to run: the system's folders, and the installation that it belongs to.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::trail::{Links, follow};

/// What programs read on every Linux.
pub(crate) const SYSTEM: [&str; 9] = [
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/sbin",
    "/sys/devices/system",
    "/usr",
];
/// Variables with folders of modules and libraries.
const SEARCHED: [&str; 2] = ["PYTHONPATH", "LD_LIBRARY_PATH"];

/// Everything that a command reads of the system, of its program's installation, and the folder of its script.
/// `home` is never among it as a whole, wherever a program lies.
pub(crate) fn of_command(command: &[OsString], home: Option<&Path>) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = SYSTEM.into_iter().map(PathBuf::from).collect();
    let program = command.first().map(|word| on_path(Path::new(word)));
    found.extend(
        program
            .into_iter()
            .flat_map(|program| installations(&program, home)),
    );
    let script = command.get(1).map(Path::new);
    found.extend(
        script
            .filter(|path| path.is_absolute())
            .and_then(Path::parent)
            .map(Into::into),
    );
    let searched = SEARCHED.into_iter().filter_map(std::env::var_os);
    let folders = searched.flat_map(|all| std::env::split_paths(&all).collect::<Vec<_>>());
    found.extend(folders.filter(|path| path.is_absolute() && !holds_home(path, home)));
    found
}

/// The program itself, or the first place on `PATH` that has it.
fn on_path(program: &Path) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_name = program.components().count() == 1;
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|place| is_name && place.is_file());
    found.unwrap_or_else(|| program.to_owned())
}

/// A virtual environment's Python is a link to that of another installation: all of them are needed. Who can name the
/// program must not make anything else readable by that, also if they change links meanwhile.
fn installations(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut links = Links::new();
    let Ok(last) = follow(program, |_, _| true, &mut links) else {
        return Vec::new();
    };
    let last = last.path;
    if !is_executable(&last) {
        return Vec::new();
    }
    let programs = links.into_keys().filter(|link| !link.is_dir());
    let programs = programs.chain([last]);
    programs
        .flat_map(|place| installation(&place, home))
        .collect()
}

fn is_executable(program: &Path) -> bool {
    let about = program.metadata();
    about.is_ok_and(|about| about.is_file() && about.mode() & 0o111 != 0)
}

fn installation(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let folder = program.parent().unwrap_or(Path::new("/"));
    match (folder.file_name(), folder.parent()) {
        (Some(name), Some(prefix)) if name == "bin" => match is_of_python(prefix, home) {
            true => vec![prefix.to_owned()],
            false => vec![folder.to_owned(), prefix.join("lib")],
        },
        _ => vec![program.to_owned()],
    }
}

/// Whether all that is there belongs to a Python.
fn is_of_python(prefix: &Path, home: Option<&Path>) -> bool {
    let libraries = std::fs::read_dir(prefix.join("lib")).into_iter().flatten();
    let mut names = libraries.flatten().map(|entry| entry.file_name());
    let is_one = prefix.join("pyvenv.cfg").is_file()
        || names.any(|name| name.to_string_lossy().starts_with("python"));
    is_one && !holds_home(prefix, home)
}

fn holds_home(folder: &Path, home: Option<&Path>) -> bool {
    folder == Path::new("/") || home.is_some_and(|home| home.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_virtual_environment_needs_the_installation_behind_its_python() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for made in ["base/bin", "base/lib/python3.11", "venv/bin"] {
            std::fs::create_dir_all(at(made)).unwrap();
        }
        std::fs::write(at("venv/pyvenv.cfg"), "").unwrap();
        let python = at("base/bin/python3.11");
        std::fs::write(&python, "").unwrap();
        std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink(at("base/bin/python3.11"), at("venv/bin/python3")).unwrap();
        symlink("python3", at("venv/bin/python")).unwrap();
        let found = of_command(
            &[at("venv/bin/python").into(), "/a/b/script.py".into()],
            None,
        );
        for needed in [at("base"), at("venv"), "/a/b".into(), "/usr".into()] {
            assert!(found.contains(&needed), "{needed:?} is not in {found:?}");
        }
    }

    #[test]
    fn nothing_is_readable_because_somebody_calls_it_a_python() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        let at = |name: &str| home.join(name);
        for made in ["bin", "lib/python3.11", "keys/bin", "links"] {
            std::fs::create_dir_all(at(made)).unwrap();
        }
        for program in ["bin/python", "keys/key", "keys/bin/tool", "keys/tool"] {
            std::fs::write(at(program), "").unwrap();
            let mode = if program == "keys/key" { 0o600 } else { 0o700 };
            std::fs::set_permissions(at(program), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink(at("keys"), at("links/python")).unwrap();
        let found = |program: &str| installations(&at(program), Some(&home));
        let bin_and_lib = |prefix: &str| [at(prefix).join("bin"), at(prefix).join("lib")];
        assert_eq!(found("bin/python"), [at("bin"), at("lib")]);
        assert_eq!(found("keys/bin/tool"), bin_and_lib("keys"));
        assert_eq!(found("links/python/bin/tool"), bin_and_lib("keys"));
        assert_eq!(found("links/python/tool"), [at("keys/tool")]);
        for none in ["keys/key", "links/python/key", "links/python", "missing"] {
            assert!(found(none).is_empty(), "{none}");
        }
    }
}
