//! Tables of a Markdown document.

/// A row of a table, with the heading of its section.
#[derive(Debug)]
pub struct Row {
    /// The heading of the section it stands in.
    pub section: String,
    /// The names of the table's columns.
    pub columns: Vec<String>,
    /// Its cells.
    pub cells: Vec<String>,
}

impl Row {
    /// The cell of a column.
    pub fn cell(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|name| name == column);
        place
            .and_then(|place| self.cells.get(place))
            .map_or("", String::as_str)
    }
}

/// Every row of every table of a document.
pub fn rows(document: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut section, mut columns) = (String::new(), None);
    for line in document.lines() {
        if line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut section);
        }
        let Some(inner) = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
        else {
            columns = None;
            continue;
        };
        let cells: Vec<_> = inner
            .replace("\\|", "\0")
            .split('|')
            .map(|cell| cell.trim().replace('\0', "|"))
            .collect();
        let rule = |cell: &String| !cell.is_empty() && cell.bytes().all(|byte| byte == b'-');
        match &columns {
            None => columns = Some(cells),
            Some(_) if cells.iter().all(rule) => {}
            Some(columns) => {
                assert_eq!(cells.len(), columns.len(), "cells of {line}");
                rows.push(Row {
                    section: section.clone(),
                    columns: columns.clone(),
                    cells,
                });
            }
        }
    }
    rows
}

/// What stands between backticks.
pub fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn cells_are_found_under_their_headings() {
    let rows = rows("## A\n\n| x | y |\n|---|---|\n| `a` | b \\| c |\n\n| z |\n|---|\n| d |\n");
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.section.as_str(), row.cell("y"), row.cell("z")))
        .collect();
    assert_eq!(found, [("A", "b | c", ""), ("A", "", "d")]);
    assert_eq!(quoted("`a`, b `c`").collect::<Vec<_>>(), ["a", "c"]);
}
