//! Nanoseconds that one summary takes: `pictures FILE LENGTH` a trendline, `pictures FILE ROWS COLUMNS` a thumbnail.
//!
//! FILE has the elements as float64 in this machine's byte order, row by row.

use std::hint::black_box;
use std::time::{Duration, Instant};

use runledger_context::value::{Array, Dtype, Summary};
use runledger_storage::pictures::{Drawn, draw};

/// At least this long is measured, and at least this often.
const AT_LEAST: Duration = Duration::from_millis(500);
const CALLS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("no file is named")?;
    let shape: Vec<usize> = arguments
        .map(|length| length.parse())
        .collect::<Result<_, _>>()?;
    let array = Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: shape.clone(),
        bytes: std::fs::read(file)?.into(),
    };
    let summary = match shape.len() {
        1 => Summary::Line { x: None, y: array },
        _ => Summary::Picture {
            pixels: array,
            upwards: false,
        },
    };
    if let Drawn::Text(why) = draw(&summary) {
        return Err(why.into());
    }
    println!("{}", median_time(|| draw(&summary)).as_nanos());
    Ok(())
}

fn median_time<T>(mut call: impl FnMut() -> T) -> Duration {
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < CALLS || began.elapsed() < AT_LEAST {
        let start = Instant::now();
        black_box(call());
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}
