//! Tables on a terminal: columns are as wide as their widest field.

use std::io::{self, Write};

/// A column.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Its fields begin at the same place.
    Text(&'static str),
    /// Its fields end at the same place.
    Number(&'static str),
}

/// Writes a table with its heading.
pub fn write(out: &mut dyn Write, columns: &[Column], rows: &[Vec<String>]) -> io::Result<()> {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            rows.iter().filter_map(|row| row.get(at)).map(|field| width(field)).chain([width(column.name())]).max().unwrap_or(0)
        })
        .collect();
    let heading: Vec<String> = columns.iter().map(|column| column.name().to_owned()).collect();
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for (at, ((field, column), column_width)) in row.iter().zip(columns).zip(&widths).enumerate() {
            let blanks = " ".repeat(column_width.saturating_sub(width(field)));
            line += &match column {
                Column::Text(_) if at + 1 == columns.len() => field.clone(),
                Column::Text(_) => format!("{field}{blanks}  "),
                Column::Number(_) => format!("{blanks}{field}  "),
            };
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) => name,
        }
    }
}

fn width(field: &str) -> usize {
    field.chars().count()
}
