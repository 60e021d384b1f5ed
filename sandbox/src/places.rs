//! Where a program finds what it needs to run: the system's folders, and the installation that it belongs to.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// What programs read on every Linux.
const SYSTEM: [&str; 9] = [
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
/// Longer chains of links lead nowhere.
const MOST_LINKS: usize = 40;

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

/// A virtual environment's Python is a link to that of another installation: all of them are needed.
fn installations(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut links = BTreeMap::new();
    let last = follow(program, &mut links).unwrap_or_else(|_| program.to_owned());
    let programs = [program.to_owned(), last]
        .into_iter()
        .chain(links.into_keys());
    programs
        .filter(|place| place.file_name() == program.file_name() || !place.is_dir())
        .flat_map(|place| installation(&place, home))
        .collect()
}

fn installation(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let Some(folder) = program.parent() else {
        return Vec::new();
    };
    let prefix = match (folder.file_name(), folder.parent()) {
        (Some(name), Some(prefix)) if name == "bin" => prefix,
        _ => {
            return vec![folder.to_owned()]
                .into_iter()
                .filter(|f| !holds_home(f, home))
                .collect();
        }
    };
    match holds_home(prefix, home) {
        true => vec![prefix.join("bin"), prefix.join("lib")],
        false => vec![prefix.to_owned()],
    }
}

fn holds_home(folder: &Path, home: Option<&Path>) -> bool {
    folder == Path::new("/") || home.is_some_and(|home| home.starts_with(folder))
}

/// Where a path leads, which begins at the root; the links on its way are added to `links`.
pub(crate) fn follow(path: &Path, links: &mut BTreeMap<PathBuf, PathBuf>) -> io::Result<PathBuf> {
    let mut place = PathBuf::from("/");
    let mut left: VecDeque<OsString> = names(path).collect();
    let mut count = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            place.pop();
            continue;
        }
        let next = place.join(&name);
        if !next.symlink_metadata()?.is_symlink() {
            place = next;
            continue;
        }
        count += 1;
        if count > MOST_LINKS {
            return Err(io::Error::other("too many links"));
        }
        let target = next.read_link()?;
        names(&target).rev().for_each(|name| left.push_front(name));
        if target.is_absolute() {
            place = PathBuf::from("/");
        }
        links.insert(next, target);
    }
    Ok(place)
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_virtual_environment_needs_the_installation_behind_its_python() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for bin in ["base/bin", "venv/bin"] {
            std::fs::create_dir_all(at(bin)).unwrap();
        }
        std::fs::write(at("base/bin/python3.11"), "").unwrap();
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
    fn a_home_is_not_readable_as_a_whole_because_a_python_lies_in_it() {
        let home = Path::new("/home/me");
        let found = installation(Path::new("/home/me/bin/python"), Some(home));
        assert_eq!(found, [home.join("bin"), home.join("lib")]);
        assert!(installation(Path::new("/home/python"), Some(home)).is_empty());
        let venv = installation(Path::new("/home/me/venv/bin/python"), Some(home));
        assert_eq!(venv, [home.join("venv")]);
    }

    #[test]
    fn a_path_is_followed_through_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(at("far/data/p1")).unwrap();
        symlink("far/data", at("near")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let mut links = BTreeMap::new();
        assert_eq!(
            follow(&at("near/../data/p1"), &mut links).unwrap(),
            at("far/data/p1")
        );
        assert!(links.keys().eq([&at("near")]));
        assert!(follow(&at("loop"), &mut links).is_err());
    }
}
