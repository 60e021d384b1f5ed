//! `table`: the run table in the terminal, as JSON, or as CSV.

use std::io::IsTerminal;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table as Drawn, presets};
use runledger_storage::Database;
use runledger_storage::database::{Column, Shown, Table, TableCell, TableRow};
use serde_json::{Map, Value, json};

use crate::arguments;
use crate::failure::{Failure, Result};
use crate::place;

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
    println!("{}", drawn(&table, std::io::stdout().is_terminal()));
    Ok(())
}

/// The table for people; colours only where a terminal shows them. Columns in which nothing is are left out.
pub(super) fn drawn(table: &Table, colours: bool) -> Drawn {
    let used: Vec<usize> = (0..table.columns.len())
        .filter(|at| is_used(table, *at))
        .collect();
    let with_comment = table.rows.iter().any(|row| row.comment.is_some());
    let mut drawn = Drawn::new();
    drawn
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let mut head = vec!["run".to_owned()];
    head.extend(with_comment.then(|| "Comment".to_owned()));
    head.extend(used.iter().map(|at| table.columns[*at].title.clone()));
    drawn.set_header(head);
    for row in &table.rows {
        let mut cells = vec![Cell::new(row.run)];
        cells.extend(with_comment.then(|| Cell::new(row.comment.as_deref().unwrap_or_default())));
        cells.extend(used.iter().map(|at| cell(row.cells[*at].as_ref(), colours)));
        drawn.add_row(cells);
    }
    drawn
}

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
    let mut drawn = Cell::new(words(cell));
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
    println!("{text}");
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
    for row in &table.rows {
        lines.write_record(record(row)).map_err(failed)?;
    }
    lines.flush().map_err(|e| failed(e.into()))
}

fn record(row: &TableRow) -> Vec<String> {
    let number = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
    let mut all = vec![
        row.run.proposal.0.to_string(),
        row.run.number.0.to_string(),
        number(row.start_time),
        number(row.added_at),
        row.comment.clone().unwrap_or_default(),
    ];
    all.extend(row.cells.iter().map(|cell| {
        cell.as_ref()
            .map_or(String::new(), |cell| cell.shown.to_string())
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

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
