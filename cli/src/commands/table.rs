//! `table`: the run table in the terminal, as JSON, or as CSV.

use std::fmt::Write;
use std::io::IsTerminal;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table as Drawn, presets};
use runledger_storage::Database;
use runledger_storage::database::{Column, Shown, Table, TableCell, TableRow};
use serde_json::{Map, Value, json};

use crate::arguments;
use crate::failure::{Failure, Result};
use crate::place;
use crate::printable::in_a_line;

/// Shows the table of a database.
pub(super) fn run(asked: &arguments::Table) -> Result {
    let db = Database::open(&place::absolute(&asked.dir)?)?;
    let wanted = (!asked.columns.is_empty()).then_some(asked.columns.as_slice());
    let table = db.table(wanted)?;
    if asked.json {
        return print_json(&table);
    }
    if asked.csv {
        return print_csv(&table);
    }
    if table.rows.is_empty() {
        println!("No run is in the table yet.");
        return Ok(());
    }
    let colours = std::io::stdout().is_terminal();
    let width = Drawn::new().width().map_or(usize::MAX, usize::from);
    let used: Vec<usize> = (0..table.columns.len())
        .filter(|at| is_used(&table, *at))
        .collect();
    for columns in blocks(&table, &used, width) {
        println_as_is!("{}", drawn(&table, &columns, colours));
    }
    Ok(())
}

/// The longest text in a cell; JSON and CSV have the whole one.
const LONGEST: usize = 28;

/// Which columns are shown side by side, so that each block fits the terminal.
fn blocks(table: &Table, used: &[usize], width: usize) -> Vec<Vec<usize>> {
    // Blanks and a line beside each cell.
    let taken = |length: usize| length + 3;
    let comment = if has_comments(table) {
        taken(LONGEST)
    } else {
        0
    };
    let first = taken(head_of_runs(table).chars().count().max(12)) + 1 + comment;
    let mut blocks = vec![Vec::new()];
    let mut left = width.saturating_sub(first);
    for at in used {
        let needed = taken(width_of(table, *at));
        if needed > left
            && blocks
                .last()
                .is_some_and(|block: &Vec<usize>| !block.is_empty())
        {
            blocks.push(Vec::new());
            left = width.saturating_sub(first);
        }
        left = left.saturating_sub(needed);
        blocks.last_mut().expect("there is at least one").push(*at);
    }
    blocks
}

fn width_of(table: &Table, column: usize) -> usize {
    let cells = table
        .rows
        .iter()
        .filter_map(|row| row.cells[column].as_ref())
        .map(words);
    let all = cells.chain([table.columns[column].title.clone()]);
    all.map(|text| fitted(&text).chars().count())
        .max()
        .unwrap_or(0)
}

fn fitted(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let line = in_a_line(first);
    match line.chars().count() > LONGEST || first.len() < text.len() {
        true => line.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => line,
    }
}

/// A table of one proposal says so once.
fn only_proposal(table: &Table) -> Option<u32> {
    let first = table.rows.first()?.run.proposal;
    table
        .rows
        .iter()
        .all(|row| row.run.proposal == first)
        .then_some(first.0)
}

fn has_comments(table: &Table) -> bool {
    table.rows.iter().any(|row| row.comment.is_some())
}

fn head_of_runs(table: &Table) -> String {
    only_proposal(table).map_or("run".into(), |proposal| format!("p{proposal}"))
}

/// Some columns of the table for people; colours only where a terminal shows them.
pub(super) fn drawn(table: &Table, columns: &[usize], colours: bool) -> Drawn {
    let with_comment = has_comments(table);
    let one_proposal = only_proposal(table).is_some();
    let mut drawn = Drawn::new();
    drawn
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Disabled);
    let mut head = vec![head_of_runs(table)];
    head.extend(with_comment.then(|| "Comment".to_owned()));
    head.extend(columns.iter().map(|at| fitted(&table.columns[*at].title)));
    drawn.set_header(head);
    for row in &table.rows {
        let run = if one_proposal {
            row.run.number.to_string()
        } else {
            row.run.to_string()
        };
        let mut cells = vec![Cell::new(run)];
        cells.extend(
            with_comment.then(|| Cell::new(fitted(row.comment.as_deref().unwrap_or_default()))),
        );
        cells.extend(
            columns
                .iter()
                .map(|at| cell(row.cells[*at].as_ref(), colours)),
        );
        drawn.add_row(cells);
    }
    drawn
}

/// Columns in which nothing is are left out.
fn is_used(table: &Table, column: usize) -> bool {
    let shown = |row: &TableRow| {
        row.cells[column]
            .as_ref()
            .is_some_and(|cell| cell.shown != Shown::Null)
    };
    table.rows.iter().any(shown)
}

fn cell(cell: Option<&TableCell>, colours: bool) -> Cell {
    let Some(cell) = cell else {
        return Cell::new("");
    };
    let mut drawn = Cell::new(fitted(&words(cell)));
    if colours {
        if cell.bold {
            drawn = drawn.add_attribute(Attribute::Bold);
        }
        if let Some([r, g, b]) = cell.background {
            // Dark text: users choose backgrounds for a white window.
            drawn = drawn.bg(Color::Rgb { r, g, b }).fg(Color::Black);
        }
        if matches!(cell.shown, Shown::Error { .. }) {
            drawn = drawn.fg(Color::DarkGrey);
        }
    }
    drawn
}

/// An error by its class: its message is for the log and the window.
fn words(cell: &TableCell) -> String {
    let value = match &cell.shown {
        Shown::Error { class, .. } => format!("({class})"),
        Shown::Number(number) => rounded(*number),
        Shown::Complex { re, im } => format!(
            "{}{}{}j",
            rounded(*re),
            if *im < 0.0 { "-" } else { "+" },
            rounded(im.abs())
        ),
        shown => shown.to_string(),
    };
    match (&cell.units, &cell.shown) {
        (Some(units), Shown::Number(_) | Shown::Integer(_)) => format!("{value} {units}"),
        _ => value,
    }
}

/// Six digits that count, as short as they can be written.
fn rounded(number: f64) -> String {
    let six: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    let size = six.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) && size.is_finite() {
        return format!("{six:e}");
    }
    six.to_string()
}

fn print_json(table: &Table) -> Result {
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|row| object(&table.columns, row))
        .collect();
    let text = serde_json::to_string_pretty(&rows).map_err(Failure::new)?;
    println_as_is!("{text}");
    Ok(())
}

fn object(columns: &[Column], row: &TableRow) -> Value {
    let mut object = Map::new();
    object.insert("proposal".into(), row.run.proposal.0.into());
    object.insert("run".into(), row.run.number.0.into());
    object.insert("start_time".into(), json!(row.start_time));
    object.insert("added_at".into(), json!(row.added_at));
    object.insert("comment".into(), json!(row.comment));
    for (column, cell) in columns.iter().zip(&row.cells) {
        object.insert(
            column.name.clone(),
            cell.as_ref().map_or(Value::Null, |cell| value(&cell.shown)),
        );
    }
    object.into()
}

fn value(shown: &Shown) -> Value {
    match shown {
        Shown::Null => Value::Null,
        Shown::Boolean(yes) => json!(yes),
        Shown::Integer(number) => json!(number),
        Shown::Number(number) if number.is_finite() => json!(number),
        Shown::Error { class, message } => json!({"error": message, "error_cls": class}),
        shown => json!(shown.to_string()),
    }
}

fn print_csv(table: &Table) -> Result {
    let failed = |e: csv::Error| Failure::new(format!("the table cannot be printed: {e}"));
    let mut lines = csv::Writer::from_writer(std::io::stdout().lock());
    let fixed = ["proposal", "run", "start_time", "added_at", "comment"].map(str::to_owned);
    let names = table.columns.iter().map(|column| column.name.clone());
    lines
        .write_record(fixed.into_iter().chain(names))
        .map_err(failed)?;
    let mut field = String::new();
    for row in &table.rows {
        for text in own_fields(row) {
            lines.write_field(text).map_err(failed)?;
        }
        for cell in &row.cells {
            field.clear();
            if let Some(cell) = cell {
                // Writing into a text cannot fail.
                let _ = write!(field, "{}", cell.shown);
            }
            lines.write_field(&field).map_err(failed)?;
        }
        lines.write_record(None::<&[u8]>).map_err(failed)?;
    }
    lines.flush().map_err(|e| failed(e.into()))
}

/// What a row has beside its variables.
fn own_fields(row: &TableRow) -> [String; 5] {
    let number = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
    [
        row.run.proposal.0.to_string(),
        row.run.number.0.to_string(),
        number(row.start_time),
        number(row.added_at),
        row.comment.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_a_short_one_is_not() {
        assert_eq!(fitted("short"), "short");
        assert_eq!(fitted(&"x".repeat(100)).chars().count(), LONGEST);
        assert_eq!(fitted("first\nsecond"), "first…");
    }

    #[test]
    fn numbers_have_six_digits_that_count() {
        let shown = [
            1.0,
            0.1 + 0.2,
            123_456.789,
            1.234_567_8e-9,
            6.02e23,
            0.0,
            -2.5,
        ];
        let words = ["1", "0.3", "123457", "1.23457e-9", "6.02e23", "0", "-2.5"];
        assert_eq!(shown.map(rounded), words);
    }
}
