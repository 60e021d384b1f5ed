//! A Kafka broker for both programs: prints its address, and ends when its input does.

use std::io::{Read, Write};

use runledger_listener::kafka::EmbeddedBroker;
use runledger_listener::updates::FILE_SUBMISSIONS;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS])?;
    writeln!(std::io::stdout(), "{}", broker.address())?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
