//! The two programs before the users' one: the first leaves the namespaces of the others and stays outside; the second,
//! inside, gives up everything else and becomes the parent of the users' program.
//!
//! In namespaces the second is the first process of all: when it ends, the kernel ends every other one in there.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::{Pid, close, getpgrp, getppid};

use crate::opened::Places;
use crate::order::Order;
use crate::{Error, Part, Result, loopback, namespaces, opened, places, rules, view};

/// The exit code for: there is no sandbox, so nothing was run.
pub const FAILED: u8 = 125;
/// How long what is inside may go on after the other end of the channel, its stdin, has gone.
const FAREWELL: Duration = Duration::from_secs(5);

/// The first program: starts the second with the rest of the words, waits for its end and passes on its exit code.
///
/// # Errors
/// There is no sandbox, and nothing was run.
pub fn enter(order: &str, command: &[OsString]) -> Result<u8> {
    let mut order = parsed(order)?;
    order.let_read(&places::of_command(command, order.home.as_deref()))?;
    close_others().map_err(|why| Error::Order(format!("files that cannot be closed: {why}")))?;
    let program = std::env::current_exe().map_err(Error::NoProgram)?;
    if order.has(Part::Namespaces) {
        namespaces::begin(&mut order).map_err(no_namespaces)?;
    }
    let text = serde_json::to_string(&order).map_err(|why| Error::Order(why.to_string()))?;
    let mut second = Command::new(&program);
    second
        .args(["sandbox", "settle", &text, "--"])
        .args(command);
    let ended = started_and_watched(&mut second, &order);
    ended.map_err(|source| Error::Program { program, source })
}

/// The second program: gives up everything, starts the users' one and waits for its end.
///
/// # Errors
/// There is no sandbox, and nothing was run.
pub fn settle(order: &str, command: &[OsString]) -> Result<u8> {
    let order = parsed(order)?;
    let here = std::env::current_dir().map_err(|why| Error::Order(format!("no folder: {why}")))?;
    let has_namespaces = order.has(Part::Namespaces);
    if has_namespaces {
        view::begin().map_err(no_namespaces)?;
    }
    let opened = opened::all(&order)?;
    if has_namespaces {
        make_a_world(&order, &opened).map_err(no_namespaces)?;
    }
    if order.has(Part::Landlock) {
        rules::hold(&order, &opened)?;
    }
    drop(opened);
    if order.has(Part::Seccomp) {
        crate::calls::refuse(&order)?;
    }
    let mut users = Command::new(&command[0]);
    users.args(&command[1..]).current_dir(here);
    if has_namespaces {
        // A signal to all of its own group would reach the first program, too.
        users.process_group(0);
    }
    let child = users.spawn().map_err(|source| Error::Program {
        program: (&command[0]).into(),
        source,
    })?;
    Ok(reaped(&child))
}

fn parsed(order: &str) -> Result<Order> {
    serde_json::from_str(order).map_err(|why| Error::Order(format!("an order that is none: {why}")))
}

fn no_namespaces(why: io::Error) -> Error {
    Error::Missing {
        part: Part::Namespaces,
        why: why.to_string(),
    }
}

fn make_a_world(order: &Order, opened: &Places) -> io::Result<()> {
    if !order.network {
        loopback::up()?;
    }
    view::enter(order, opened)?;
    namespaces::end(order)
}

/// Whoever has started us may have left files open.
fn close_others() -> io::Result<()> {
    let open = fs::read_dir("/proc/self/fd")?;
    let numbers: Vec<i32> = open
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // That of the list itself is closed by now.
        let _ = close(number);
    }
    Ok(())
}

/// No thread waits here: a process whose children are in another namespace cannot have any.
fn started_and_watched(command: &mut Command, order: &Order) -> io::Result<u8> {
    let job = getppid();
    let (mut ended, wake) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, wake)?;
    let mut child = command.spawn()?;
    let channel = io::stdin();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(code(status));
        }
        let mut watched = [
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
            // A hang-up is always told.
            PollFd::new(channel.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut watched, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            other => other?,
        };
        let is_woken = watched[0].any().unwrap_or_default();
        let is_alone = watched[1].any().unwrap_or_default() || watched[1].all().unwrap_or_default();
        if is_woken {
            let _ = ended.read(&mut [0; 64])?;
        } else if is_alone {
            end(&mut child, order)?;
            if getppid() != job {
                // It was killed, and leaves that to us.
                let _ = fs::remove_dir_all(&order.folder);
            }
        }
    }
}

/// Ends what goes on although nobody hears it any more; without namespaces this process with it.
fn end(child: &mut Child, order: &Order) -> io::Result<()> {
    let until = std::time::Instant::now() + FAREWELL;
    while child.try_wait()?.is_none() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    match child.try_wait()? {
        Some(_) => Ok(()),
        None if order.has(Part::Namespaces) => child.kill().and_then(|()| child.wait().map(drop)),
        None => Ok(killpg(getpgrp(), Signal::SIGKILL)?),
    }
}

/// Takes leave of every process that has lost its parent, up to the end of this child.
fn reaped(child: &Child) -> u8 {
    let pid = i32::try_from(child.id()).map(Pid::from_raw);
    loop {
        match wait() {
            Ok(WaitStatus::Exited(who, code)) if Ok(who) == pid => {
                return u8::try_from(code).unwrap_or(1);
            }
            Ok(WaitStatus::Signaled(who, signal, _)) if Ok(who) == pid => {
                return by_signal(signal as i32);
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1),
        (None, signal) => by_signal(signal.unwrap_or_default()),
    }
}

/// As shells tell it.
fn by_signal(number: i32) -> u8 {
    u8::try_from(128 + number).unwrap_or(1)
}
