//! What kind of file system a folder is on: some of SQLite's ways need one that only this machine uses.

use std::path::Path;

use nix::sys::statfs::statfs;

/// File systems that several machines share (statfs(2), linux/magic.h): GPFS, NFS, Lustre, BeeGFS, CIFS, SMB2, Ceph,
/// AFS, and FUSE, which may be any of them. They have no memory that all machines see.
const NETWORK: [i64; 9] = [
    0x4750_4653,
    0x6969,
    0x0bd0_0bd0,
    0x1983_0326,
    0xff53_4d42,
    0xfe53_4d42,
    0x00c3_6400,
    0x5346_414f,
    0x6573_5546,
];

/// Whether several machines may use a folder's file system. What cannot be told is taken to be shared: that is
/// always safe.
pub fn is_shared(folder: &Path) -> bool {
    statfs(folder).map_or(true, |found| NETWORK.contains(&found.filesystem_type().0))
}
