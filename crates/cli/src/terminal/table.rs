//! Columns, as wide as what is in them.

/// A table for people. Programs use `--json`.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![
                headings
                    .iter()
                    .map(|heading| heading.to_uppercase())
                    .collect(),
            ],
        }
    }

    /// Adds a row with a cell for each heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    /// The lines, two spaces between columns and none at the end.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, &width)| format!("{cell:<width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Names come from strangers: one with control characters could rewrite the screen.
fn clean(cell: String) -> String {
    if cell.chars().any(char::is_control) {
        cell.escape_debug().to_string()
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_names_cannot_move_the_cursor() {
        let mut table = Table::new(["context", "status"]);
        table.row(["demo".to_owned(), "live".to_owned()]);
        table.row(["a\u{1b}[2J".to_owned(), "building".to_owned()]);
        assert_eq!(
            table.render(),
            "CONTEXT     STATUS\ndemo        live\na\\u{1b}[2J  building"
        );
    }
}
