//! User namespaces: in one of its own a process without rights may make a file system, processes and a network of its
//! own; in a second one inside it has no rights over these any more.

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::order::Order;

/// The children of this process are in namespaces of their own, in which they are root.
pub(crate) fn begin(order: &mut Order) -> io::Result<()> {
    let owner = (geteuid().as_raw(), getegid().as_raw());
    let mut flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
    if !order.network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags)?;
    order.owner = Some(owner);
    map((0, owner.0), (0, owner.1))
}

/// This process is itself again, and root nowhere.
pub(crate) fn end(order: &Order) -> io::Result<()> {
    let (user, group) = order
        .owner
        .ok_or_else(|| io::Error::other("nobody owns the namespace"))?;
    unshare(CloneFlags::CLONE_NEWUSER)?;
    map((user, 0), (group, 0))
}

/// Who is who: a number inside, and the same outside.
fn map(user: (u32, u32), group: (u32, u32)) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", user.0, user.1))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", group.0, group.1))
}
