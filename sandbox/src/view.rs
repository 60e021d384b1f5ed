//! A file system that has only what the job may read or write: what is not there needs no rule.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};

use crate::mounts::mounts;
use crate::opened::{Kind, Opened, Places, name};
use crate::order::Order;
use crate::rules::SHARED;
use crate::trail::below;

const NOTHING: Option<&str> = None;

type Kinds = BTreeMap<PathBuf, Kind>;

/// From now on nobody else sees what this process mounts. What is opened after this can be mounted.
pub(crate) fn begin() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    Ok(mount(NOTHING, "/", NOTHING, flags, NOTHING)?)
}

/// From now on this process sees only this.
pub(crate) fn enter(order: &Order, opened: &Places) -> io::Result<()> {
    let view = View { root: order.root() };
    view.begin(order)?;
    let kinds = opened
        .iter()
        .map(|(path, place)| (path.clone(), place.kind));
    let mut kinds: Kinds = kinds.collect();
    // What lies in another place comes after that.
    for (path, place) in opened {
        match path.parent().and_then(|above| nearest(above, &kinds)) {
            None => view.show(place, path)?,
            Some(kind) if kind != place.kind => view.show_within(place, path)?,
            Some(_) => {}
        }
    }
    for (link, target) in &order.links {
        // What is in a place is there already.
        if nearest(link, &kinds).is_none() {
            view.link(link, target)?;
        }
    }
    let own = ["/dev".into(), "/proc".into(), order.temporary()];
    kinds.extend(own.map(|path| (path, Kind::Own)));
    kinds.extend(kernel_settings().map(|path| (path, Kind::Read)));
    view.protect(&kinds)?;
    view.turn_to()
}

/// Of the machine, not of a job; and root may write them even in a namespace.
fn kernel_settings() -> impl Iterator<Item = PathBuf> {
    let names = ["acpi", "bus", "fs", "irq", "scsi", "sys", "sysrq-trigger"];
    names.into_iter().map(|name| Path::new("/proc").join(name))
}

/// What may be done at a path: the nearest place above it says so.
fn nearest(path: &Path, kinds: &Kinds) -> Option<Kind> {
    path.ancestors().find_map(|above| kinds.get(above).copied())
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

    fn show(&self, place: &Opened, path: &Path) -> io::Result<()> {
        self.bind(&name(&place.file), path)
            .map_err(|why| of(path, why))
    }

    /// Where it lies in another place: others may change the way there, but lead nowhere else by that.
    fn show_within(&self, place: &Opened, path: &Path) -> io::Result<()> {
        let target = below(&self.root, path).map_err(|why| of(path, why))?;
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        let (from, to) = (name(&place.file), name(&target));
        mount(Some(&from), &to, NOTHING, flags, NOTHING).map_err(|why| of(path, why.into()))
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
    fn protect(&self, kinds: &Kinds) -> io::Result<()> {
        for (place, mut flags) in mounts(&self.root)? {
            let path = Path::new("/").join(place.strip_prefix(&self.root).unwrap_or(&place));
            flags |= MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID;
            if matches!(nearest(&path, kinds), None | Some(Kind::Read)) {
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
        let kinds = places.map(|(path, kind)| (path.into(), kind)).into();
        let nearest = |path: &str| nearest(Path::new(path), &kinds);
        assert_eq!(nearest("/data/p1/raw/r1"), Some(Kind::Data));
        assert_eq!(nearest("/data/p1/db/extracted_data"), Some(Kind::Read));
        assert_eq!(nearest("/data/p1/scratch"), Some(Kind::Write));
        assert_eq!(nearest("/data"), None);
    }
}
