//! Nanoseconds that writing takes: `run_table DIR PROPOSAL RUN THUMBNAIL TRENDLINE` prints those of one comment and
//! those of a run's 300 values. The last two are files with what such cells hold.

use std::time::{Duration, Instant};

use runledger_context::run::RunId;
use runledger_storage::database::COMPUTED;
use runledger_storage::{CellValue, Database, Row};

const VARIABLES: usize = 300;
/// How often each is done; the median is told.
const CALLS: usize = 21;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, proposal, run, thumbnail, trendline] = arguments.as_slice() else {
        return Err("run_table DIR PROPOSAL RUN THUMBNAIL TRENDLINE".into());
    };
    let run = RunId::new(proposal.parse()?, run.parse()?);
    let values = values(&std::fs::read(thumbnail)?, &std::fs::read(trendline)?);
    let mut db = Database::open(dir.as_ref())?;
    let comment = median_time(|| Ok(db.set_comment(run, Some("looks good"))?))?;
    let all = median_time(|| {
        let saved = db.save_cells(run, &values, None, COMPUTED)?;
        match saved.refused.is_empty() {
            true => Ok(()),
            false => Err("a value was refused".into()),
        }
    })?;
    println!("{} {}", comment.as_nanos(), all.as_nanos());
    Ok(())
}

/// The kinds of `bench/run_table.py`, in its order.
fn values(thumbnail: &[u8], trendline: &[u8]) -> Vec<(String, Row)> {
    let cell = |number: usize| {
        let (value, summary_type) = match number % 5 {
            1 => (CellValue::Text("a word or two".into()), ""),
            2 => (CellValue::Blob(thumbnail.into()), ""),
            3 => (CellValue::Blob(trendline.into()), "trendline"),
            _ => (CellValue::Real(1.5), ""),
        };
        let row = Row {
            value,
            summary_type: Some(summary_type.into()),
            summary_method: Some(String::new()),
            ..Row::default()
        };
        (format!("v{number:03}"), row)
    };
    (0..VARIABLES).map(cell).collect()
}

fn median_time(mut call: impl FnMut() -> Outcome) -> Outcome<Duration> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        call()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[CALLS / 2])
}
