//! A file system that has only what the job may read or write: what is not there needs no rule.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};

use crate::Part;
use crate::mounts::mounts;
use crate::order::Order;
use crate::places::follow;
use crate::rules::SHARED;

const NOTHING: Option<&str> = None;

/// What may be done in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Write,
    Read,
    /// To be read. A program that tries to write there, as EXtra-data does, expects to hear that it may not, and not that
    /// nobody can: where there is Landlock, the mount is left as it is.
    Data,
}

type Places = BTreeMap<PathBuf, Kind>;

/// From now on this process sees only this.
pub(crate) fn enter(order: &Order, read: &[PathBuf]) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )?;
    let view = View { root: order.root() };
    view.begin(order)?;
    let mut links = BTreeMap::new();
    let mut places = Places::new();
    // Of two kinds the later one holds.
    for (paths, kind) in [
        (&order.data[..], data_kind(order)),
        (read, Kind::Read),
        (&order.write, Kind::Write),
    ] {
        add(paths, kind, &mut places, &mut links)?;
    }
    // What lies in another place comes after that.
    for (place, kind) in &places {
        let is_in_one_like_it = place
            .parent()
            .is_some_and(|above| nearest(above, &places) == Some(*kind));
        if !is_in_one_like_it {
            view.bind(place, place)?;
        }
    }
    for (link, target) in links {
        view.link(&link, &target)?;
    }
    let own = ["/dev".into(), "/proc".into(), order.temporary()];
    places.extend(own.map(|path| (path, Kind::Own)));
    places.extend(kernel_settings().map(|path| (path, Kind::Read)));
    view.protect(&places)?;
    view.turn_to()
}

/// Of the machine, not of a job; and root may write them even in a namespace.
fn kernel_settings() -> impl Iterator<Item = PathBuf> {
    let names = ["acpi", "bus", "fs", "irq", "scsi", "sys", "sysrq-trigger"];
    names.into_iter().map(|name| Path::new("/proc").join(name))
}

fn data_kind(order: &Order) -> Kind {
    match order.has(Part::Landlock) {
        true => Kind::Data,
        false => Kind::Read,
    }
}

/// Where existing paths lead; what is not there is left out.
fn add(
    paths: &[PathBuf],
    kind: Kind,
    places: &mut Places,
    links: &mut BTreeMap<PathBuf, PathBuf>,
) -> io::Result<()> {
    for path in paths {
        match follow(path, links) {
            // The root itself would be everything.
            Ok(place) if place.parent().is_none() => {}
            Ok(place) => drop(places.insert(place, kind)),
            Err(why) if is_absent(&why) => {}
            Err(why) => return Err(of(path, why)),
        }
    }
    Ok(())
}

/// What may be done at a path: the nearest place above it says so.
fn nearest(path: &Path, places: &Places) -> Option<Kind> {
    path.ancestors()
        .find_map(|above| places.get(above).copied())
}

fn is_absent(why: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        why.kind(),
        E::NotFound | E::NotADirectory | E::PermissionDenied
    )
}

struct View {
    root: PathBuf,
}

impl View {
    /// What every job has: its own files, devices, its processes.
    fn begin(&self, order: &Order) -> io::Result<()> {
        self.memory("/", "mode=755,size=16m")?;
        let temporary = order.temporary();
        self.bind(&order.files(), &temporary)?;
        fs::create_dir(self.inside(Path::new("/var")))?;
        symlink(temporary, self.inside(Path::new("/var/tmp")))?;
        self.memory("/dev", "mode=755,size=1m")?;
        self.memory("/dev/shm", "mode=1777")?;
        for device in SHARED.iter().filter(|device| **device != "/dev/shm") {
            self.bind(Path::new(device), Path::new(device))?;
        }
        for (name, target) in [
            ("fd", "fd"),
            ("stdin", "fd/0"),
            ("stdout", "fd/1"),
            ("stderr", "fd/2"),
        ] {
            symlink(
                format!("/proc/self/{target}"),
                self.inside(Path::new("/dev")).join(name),
            )?;
        }
        self.put("/proc", "proc", NOTHING).map_err(|why| {
            let why = format!(
                "{why}: where parts of /proc are hidden, as in containers, no new one is allowed"
            );
            io::Error::other(why)
        })?;
        for settings in kernel_settings().filter(|path| self.inside(path).exists()) {
            self.bind(&self.inside(&settings), &settings)?;
        }
        Ok(())
    }

    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn memory(&self, path: &str, options: &str) -> io::Result<()> {
        self.put(path, "tmpfs", Some(options))
    }

    fn put(&self, path: &str, kind: &str, options: Option<&str>) -> io::Result<()> {
        let place = self.inside(Path::new(path));
        fs::create_dir_all(&place)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some(kind), &place, Some(kind), flags, options).map_err(|why| of(&place, why.into()))
    }

    fn bind(&self, from: &Path, to: &Path) -> io::Result<()> {
        let place = self.inside(to);
        if !place.exists() {
            match from.is_dir() {
                true => fs::create_dir_all(&place)?,
                false => {
                    fs::create_dir_all(place.parent().unwrap_or(&self.root))?;
                    fs::File::create(&place)?;
                }
            }
        }
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(from), &place, NOTHING, flags, NOTHING).map_err(|why| of(from, why.into()))
    }

    /// A link on the way to something that is there.
    fn link(&self, link: &Path, target: &Path) -> io::Result<()> {
        let place = self.inside(link);
        if place.symlink_metadata().is_ok() {
            return Ok(());
        }
        fs::create_dir_all(place.parent().unwrap_or(&self.root))?;
        symlink(target, place)
    }

    /// Nothing can be written but what is meant to be, and no file gives anybody rights.
    fn protect(&self, places: &Places) -> io::Result<()> {
        for (place, mut flags) in mounts(&self.root)? {
            let path = Path::new("/").join(place.strip_prefix(&self.root).unwrap_or(&place));
            flags |= MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID;
            if matches!(nearest(&path, places), None | Some(Kind::Read)) {
                flags |= MsFlags::MS_RDONLY;
            }
            let again = mount(NOTHING, &place, NOTHING, flags, NOTHING);
            again.map_err(|why| of(&place, why.into()))?;
        }
        Ok(())
    }

    /// The rest of the file system is out of reach from now on.
    fn turn_to(&self) -> io::Result<()> {
        chdir(&self.root)?;
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        Ok(chdir("/")?)
    }
}

fn of(path: &Path, why: io::Error) -> io::Error {
    io::Error::new(why.kind(), format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_place_is_as_that_place() {
        let places = [
            ("/data/p1", Kind::Data),
            ("/data/p1/db", Kind::Read),
            ("/data/p1/scratch", Kind::Write),
        ];
        let places = places.map(|(path, kind)| (path.into(), kind)).into();
        let nearest = |path: &str| nearest(Path::new(path), &places);
        assert_eq!(nearest("/data/p1/raw/r1"), Some(Kind::Data));
        assert_eq!(nearest("/data/p1/db/extracted_data"), Some(Kind::Read));
        assert_eq!(nearest("/data/p1/scratch"), Some(Kind::Write));
        assert_eq!(nearest("/data"), None);
    }
}
