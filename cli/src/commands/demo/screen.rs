//! The table while it fills: drawn in place on a terminal, line by line elsewhere.

use std::io::{IsTerminal, Write};

use comfy_table::Cell;
use runledger_context::run::RunData;
use runledger_listener::ledger::{Entry, Ledger, State};
use runledger_storage::Database;

use super::announcer::Announcer;
use super::stage::Stage;
use crate::commands::table::drawn;
use crate::failure::Result;

/// The summaries that are shown while the demo runs; all of them are in the table.
const SHOWN: [&str; 5] = [
    "mean_pulse_energy",
    "injector_position",
    "camera_image",
    "spot_position",
    "detector_photons",
];

/// Where the table is shown.
pub(super) struct Screen {
    db: std::path::PathBuf,
    in_place: bool,
    lines: usize,
    /// What was said of each job, where lines are never drawn over.
    said: Vec<String>,
}

impl Screen {
    pub(super) fn new(stage: &Stage) -> Self {
        Self {
            db: stage.db(),
            in_place: std::io::stdout().is_terminal(),
            lines: 0,
            said: Vec::new(),
        }
    }

    /// Shows how far everything is.
    pub(super) fn draw(&mut self, announcer: &Announcer) -> Result {
        if self.in_place {
            self.draw_over(announcer)
        } else {
            self.say_what_is_new()
        }
    }

    /// Shows how everything ended.
    pub(super) fn finish(&mut self, announcer: &Announcer) -> Result {
        if self.in_place {
            return self.draw_over(announcer);
        }
        self.say_what_is_new()?;
        println_as_is!("\n{}", self.table(announcer)?);
        Ok(())
    }

    fn draw_over(&mut self, announcer: &Announcer) -> Result {
        let text = self.table(announcer)?;
        let mut out = std::io::stdout().lock();
        // Up to where the last one began, and clear from there (ECMA-48: CUU, ED).
        let up = if self.lines > 0 {
            format!("\x1b[{}A\x1b[J", self.lines)
        } else {
            String::new()
        };
        self.lines = text.lines().count();
        // A terminal that is gone does not matter to the demo.
        let _ = writeln!(out, "{up}{text}").and_then(|()| out.flush());
        Ok(())
    }

    fn table(&self, announcer: &Announcer) -> Result<String> {
        let db = Database::open(&self.db)?;
        let known = db.table(None)?;
        let shown: Vec<String> = SHOWN
            .iter()
            .filter(|name| known.columns.iter().any(|column| column.name == **name))
            .map(ToString::to_string)
            .collect();
        let table = db.table(Some(&shown))?;
        let jobs = Ledger::open(&self.db)?.jobs()?;
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let mut picture = drawn(&table, &all, self.in_place);
        picture.set_header(heads(&picture));
        for (row, entry) in picture.row_iter_mut().zip(&table.rows) {
            let of_run = jobs.iter().filter(|job| job.job.run == entry.run);
            row.add_cell(Cell::new(states(of_run)));
        }
        Ok(format!("announced: {}\n{picture}", announced(announcer)))
    }

    fn say_what_is_new(&mut self) -> Result {
        for entry in Ledger::open(&self.db)?.jobs()? {
            let line = format!(
                "{} {:<4} {}",
                entry.job.run,
                entry.job.data.as_str(),
                entry.state.as_str()
            );
            if entry.state != State::Planned && !self.said.contains(&line) {
                println_as_is!("{line}");
                self.said.push(line);
            }
        }
        Ok(())
    }
}

fn heads(picture: &comfy_table::Table) -> Vec<String> {
    let mut heads: Vec<String> = picture
        .header()
        .map(|head| head.cell_iter().map(Cell::content).collect())
        .unwrap_or_default();
    heads.push("jobs".into());
    heads
}

fn states<'a>(jobs: impl Iterator<Item = &'a Entry>) -> String {
    let all: Vec<String> = jobs
        .map(|entry| format!("{} {}", entry.job.data, entry.state.as_str()))
        .collect();
    all.join(", ")
}

fn announced(announcer: &Announcer) -> String {
    let word = |(run, data): &(_, RunData)| format!("{run} {data}");
    let all: Vec<String> = announcer.announced.iter().map(word).collect();
    all.join(", ")
}
