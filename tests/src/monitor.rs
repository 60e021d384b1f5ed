//! A listener's numbers, as a monitor reads them.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::{Service, eventually};

/// Where the listener said last that its numbers are.
pub fn monitor_address(listener: &Service) -> String {
    let before = "numbers for a monitor are at http://";
    eventually(
        "it tells its address",
        || listener.said(),
        || listener.said().contains(before),
    );
    let said = listener.said();
    let at = said.rsplit(before).next().expect("what follows");
    at.split('/').next().expect("an address").to_owned()
}

/// What it answers there.
pub fn numbers(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the monitor's address");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("a question");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
