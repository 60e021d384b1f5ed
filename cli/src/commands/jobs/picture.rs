//! Jobs as a table that fits the terminal: a line for each, and why it failed beside or below it.

use std::collections::BTreeSet;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use runledger_listener::ledger::State;

use super::Job;
use super::words::{queue, short, since, state, why};
use crate::printable::in_a_line;

/// A reason with less room than this beside the table stands below its job.
const ROOM: usize = 30;
/// Between two columns.
const GAP: u16 = 2;

/// Where it is shown.
pub(super) struct Screen {
    /// Characters in a line; None: any number.
    pub(super) width: Option<usize>,
    /// Whether it shows colours.
    pub(super) colours: bool,
}

/// The table. `now` is in seconds since 1970.
pub(super) fn draw(jobs: &[&Job], now: f64, screen: &Screen) -> String {
    let table = table(jobs, now, screen.colours);
    let width: usize = table
        .column_max_content_widths()
        .iter()
        .map(|column| usize::from(column + GAP))
        .sum();
    let left = screen.width.map(|all| all.saturating_sub(width));
    let has_room = left.is_none_or(|left| left >= ROOM);
    let mut lines = Vec::new();
    for (at, line) in table.lines().enumerate() {
        // The first line is the head.
        let reason = at
            .checked_sub(1)
            .map_or(String::new(), |at| why(&jobs[at].entry, now));
        let reason = in_a_line(&reason.split_whitespace().collect::<Vec<_>>().join(" "));
        if reason.is_empty() {
            lines.push(line.trim_end().to_owned());
        } else if has_room {
            lines.push(format!("{line}{}", cut(&reason, left)));
        } else {
            lines.push(line.trim_end().to_owned());
            let left = screen.width.map(|all| all.saturating_sub(4));
            lines.push(format!("    {}", cut(&reason, left)));
        }
    }
    lines.join("\n")
}

fn table(jobs: &[&Job], now: f64, colours: bool) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let proposals: BTreeSet<u32> = jobs
        .iter()
        .map(|job| job.entry.job.run.proposal.0)
        .collect();
    let is_one = proposals.len() == 1;
    let run_head = match proposals.first() {
        Some(proposal) if is_one => format!("p{proposal}"),
        _ => "run".into(),
    };
    table.set_header([
        "job", &run_head, "data", "state", "queue", "tries", "since", "who",
    ]);
    for job in jobs {
        table.add_row(row(job, is_one, now, colours));
    }
    if colours {
        table.enforce_styling();
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        if at == 5 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(job: &Job, is_one_proposal: bool, now: f64, colours: bool) -> Vec<Cell> {
    let entry = &job.entry;
    let run = entry.job.run;
    let data = match entry.job.request.cluster {
        true => format!("{}, cluster", entry.job.data),
        false => entry.job.data.to_string(),
    };
    let (who, _) = entry
        .submitted_by
        .split_once('@')
        .unwrap_or((&entry.submitted_by, ""));
    let state = Cell::new(state(entry));
    let colour = colour(job).filter(|_| colours);
    vec![
        Cell::new(in_a_line(short(job.id()))),
        Cell::new(match is_one_proposal {
            true => format!("r{}", run.number.0),
            false => format!("p{} r{}", run.proposal.0, run.number.0),
        }),
        Cell::new(data),
        match colour {
            Some(colour) => state.fg(colour),
            None => state,
        },
        Cell::new(in_a_line(&job.last().map(queue).unwrap_or_default())),
        Cell::new(job.tries()),
        Cell::new(since(job, now)),
        Cell::new(in_a_line(who)),
    ]
}

fn colour(job: &Job) -> Option<Color> {
    match job.entry.state {
        _ if job.entry.held => Some(Color::Yellow),
        State::Running => Some(Color::Green),
        State::Failed | State::Lost => Some(Color::Red),
        State::Cancelled => Some(Color::DarkGrey),
        _ => None,
    }
}

fn cut(text: &str, room: Option<usize>) -> String {
    match room {
        Some(room) if text.chars().count() > room => text
            .chars()
            .take(room.saturating_sub(1))
            .chain(['…'])
            .collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn jobs() -> Vec<Job> {
        let mut failed = example("3f2a91bc-0", State::Failed);
        failed.entry.message = Some("the node failed, ".repeat(20));
        failed.entry.ended_at = Some(100.0);
        vec![failed, example("9d11aa02-1", State::Running)]
    }

    fn drawn(width: Option<usize>, colours: bool) -> Vec<String> {
        let jobs = jobs();
        let screen = Screen { width, colours };
        let text = draw(&jobs.iter().collect::<Vec<_>>(), 3700.0, &screen);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_line_fits_the_terminal_and_a_reason_stands_where_there_is_room() {
        for (width, lines) in [(80, 4), (200, 3)] {
            let drawn = drawn(Some(width), false);
            assert_eq!(drawn.len(), lines, "{drawn:#?}");
            assert!(
                drawn.iter().all(|line| line.chars().count() <= width),
                "{drawn:#?}"
            );
            assert!(drawn[lines - 2].contains("the node failed") && drawn.concat().contains('…'));
        }
    }

    #[test]
    fn where_there_is_no_terminal_a_job_is_a_line_with_the_whole_reason_and_no_colours() {
        let drawn = drawn(None, false);
        assert_eq!(drawn.len(), 3);
        assert_eq!(drawn[1].matches("the node failed").count(), 20);
        assert!(!drawn.concat().contains('\u{1b}'));
    }

    #[test]
    fn a_terminal_shows_states_in_colours() {
        assert!(drawn(Some(200), true)[1].contains('\u{1b}'));
    }
}
