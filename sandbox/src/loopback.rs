//! A network of its own has a loopback interface that is down: programs that talk to themselves need it up.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// `RTM_NEWLINK`, `NLM_F_REQUEST | NLM_F_ACK`, `IFF_UP`: see rtnetlink(7).
const NEW_LINK: u16 = 16;
const REQUEST_AND_ANSWER: u16 = 5;
const UP: u32 = 1;
/// In every network namespace the loopback interface is the first.
const LOOPBACK: i32 = 1;
/// Where the answer has its error number: behind the header.
const ERROR: std::ops::Range<usize> = 16..20;

/// Switches it on.
pub(crate) fn up() -> io::Result<()> {
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let to = NetlinkAddr::new(0, 0);
    sendto(kernel.as_raw_fd(), &request(), &to, MsgFlags::empty())?;
    let mut answer = [0; 256];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let number = answer[..length]
        .get(ERROR)
        .and_then(|bytes| bytes.try_into().ok());
    match number.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::other("the kernel's answer is cut short")),
    }
}

/// `nlmsghdr` and `ifinfomsg`.
fn request() -> Vec<u8> {
    let mut bytes = 32_u32.to_ne_bytes().to_vec();
    bytes.extend(NEW_LINK.to_ne_bytes());
    bytes.extend(REQUEST_AND_ANSWER.to_ne_bytes());
    // No number, nobody's; any family, any kind.
    bytes.extend([0; 4 + 4 + 4]);
    bytes.extend(LOOPBACK.to_ne_bytes());
    bytes.extend(UP.to_ne_bytes());
    bytes.extend(UP.to_ne_bytes());
    bytes
}
