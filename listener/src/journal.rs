//! How SQLite keeps our own two files safe, by the file system they are on.

use std::path::Path;

use nix::sys::statfs::statfs;
use rusqlite::Connection;

/// File systems that several machines share (statfs(2), linux/magic.h): GPFS, NFS, Lustre, BeeGFS, CIFS, SMB2, Ceph,
/// AFS, and FUSE, which may be any of them. SQLite's write-ahead log needs shared memory, which they don't have.
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

/// Readers and a writer side by side where the file system can do that; and nothing that was committed is lost when
/// the power goes.
pub(crate) fn settle(connection: &Connection, folder: &Path) -> rusqlite::Result<()> {
    let mode = if is_shared(folder) { "DELETE" } else { "WAL" };
    connection.pragma_update(None, "journal_mode", mode)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// What cannot be told is taken to be shared: that is always safe.
fn is_shared(folder: &Path) -> bool {
    statfs(folder).map_or(true, |found| NETWORK.contains(&found.filesystem_type().0))
}
