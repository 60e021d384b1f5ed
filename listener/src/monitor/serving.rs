//! Gives the numbers to whoever asks over HTTP, from threads of its own: who asks slowly, or hangs, holds nobody up.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{debug, info};

use super::Numbers;
use crate::{Error, Result};

/// How long somebody may take to ask, and again to listen.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many may ask at once; others are sent away.
const ASKERS: usize = 32;
/// No question is longer.
const LONGEST: usize = 8192;
/// The kind of text that Prometheus is given.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Gives the numbers to whoever asks, until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    at: SocketAddr,
    is_over: Arc<AtomicBool>,
    welcoming: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Answers at `address`, `host:port`; for port 0 at any free one.
    ///
    /// # Errors
    /// [`Error::Monitor`]: the address cannot be had.
    pub fn open(address: &str, numbers: Numbers) -> Result<Self> {
        let bound = TcpListener::bind(address).and_then(|at| Ok((at.local_addr()?, at)));
        let (at, listener) = bound.map_err(|error| Error::Monitor {
            address: address.into(),
            reason: error.to_string(),
        })?;
        info!("numbers for a monitor are at http://{at}/metrics");
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = is_over.clone();
        let welcoming = std::thread::spawn(move || welcome(&listener, &Arc::new(numbers), &flag));
        Ok(Self {
            at,
            is_over,
            welcoming: Some(welcoming),
        })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.at
    }
}

/// The address is free then.
impl Drop for Monitor {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes who waits for the next one. Where that fails, the next one who asks does so.
        let is_awake = TcpStream::connect_timeout(&self.at, PATIENCE).is_ok();
        if let Some(welcoming) = self.welcoming.take().filter(|_| is_awake) {
            let _ = welcoming.join();
        }
    }
}

/// Each asker has a thread of its own, which holds a share of `numbers` for as long as it lives.
fn welcome(listener: &TcpListener, numbers: &Arc<Numbers>, is_over: &AtomicBool) {
    for stream in listener.incoming() {
        match stream {
            _ if is_over.load(Ordering::Relaxed) => return,
            Ok(stream) if Arc::strong_count(numbers) <= ASKERS => {
                let numbers = numbers.clone();
                std::thread::spawn(move || {
                    if let Err(why) = answer(stream, &numbers) {
                        debug!("a monitor was not answered: {why}");
                    }
                });
            }
            Ok(_) => debug!("too many monitors ask at once"),
            // Out of file descriptors, for example: the next try must not come at once.
            Err(_) => std::thread::sleep(PATIENCE),
        }
    }
}

fn answer(mut stream: TcpStream, numbers: &Numbers) -> std::io::Result<()> {
    let path = asked(&mut stream)?;
    let (status, kind, text) = match path.split('?').next() {
        Some("/metrics") => ("200 OK", OPEN_METRICS, numbers.text()),
        _ => ("404 Not Found", "text/plain", Ok("see /metrics\n".into())),
    };
    let text = text.map_err(std::io::Error::other)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

/// The path that is asked for.
fn asked(stream: &mut TcpStream) -> std::io::Result<String> {
    let until = Instant::now() + PATIENCE;
    let mut question = Vec::new();
    while question.len() < LONGEST {
        let left = until.saturating_duration_since(Instant::now());
        // No time left is refused by the system.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut part = [0; 1024];
        let length = stream.read(&mut part)?;
        question.extend_from_slice(&part[..length]);
        match path(&question)? {
            Some(path) => return Ok(path),
            None if length == 0 || left.is_zero() => break,
            None => {}
        }
    }
    Err(std::io::Error::other("it does not finish its question"))
}

/// None while the question is not complete.
fn path(question: &[u8]) -> std::io::Result<Option<String>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(question).map_err(std::io::Error::other)?;
    Ok(match status.is_complete() {
        true => request.path.map(str::to_owned),
        false => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn numbers_are_given_also_while_others_hang_on() {
        let numbers = Numbers::default();
        let monitor = Monitor::open("127.0.0.1:0", numbers.clone()).unwrap();
        let at = monitor.address();
        let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(at).unwrap()).collect();
        let mut half = TcpStream::connect(at).unwrap();
        half.write_all(b"GET /metrics HTTP/1.1\r\nHo").unwrap();
        numbers.event("job");
        let answer = ask(at, "/metrics");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(OPEN_METRICS), "{answer}");
        assert!(answer.contains("runledger_events_total{followed=\"job\"} 1"));
        assert!(answer.ends_with("# EOF\n"), "{answer}");
        assert!(ask(at, "/").starts_with("HTTP/1.1 404"));
        drop((silent, half));
    }

    #[test]
    fn nonsense_is_not_answered() {
        let monitor = Monitor::open("127.0.0.1:0", Numbers::default()).unwrap();
        let at = monitor.address();
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"\0\0 nonsense\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // The connection ends, in whichever way.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"");
    }

    #[test]
    fn an_address_that_cannot_be_had_is_named_and_can_be_had_again_later() {
        let first = Monitor::open("127.0.0.1:0", Numbers::default()).unwrap();
        let taken = first.address().to_string();
        let refused = Monitor::open(&taken, Numbers::default()).unwrap_err();
        assert!(refused.to_string().contains(&taken), "{refused}");
        drop(first);
        assert!(TcpStream::connect(&taken).is_err());
        Monitor::open(&taken, Numbers::default()).unwrap();
    }
}
