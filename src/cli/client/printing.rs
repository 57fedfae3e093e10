//! Tables and outlines for people. Whatever comes from a server is tidied: a text that somebody else
//! wrote must not move the reader's cursor.

use std::fmt::Write as _;

use comfy_table::{Table, TableStyle};
use serde_json::Value;

/// Replaces what is no visible character.
pub(super) fn tidy(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Draws rows under their headings, without lines.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(head);
    for row in rows {
        let cells = row.iter().map(|cell| match cell.as_str() {
            "" => "-".to_owned(),
            cell => tidy(cell),
        });
        table.add_row(cells);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Writes everything that a JSON document says, a line for each, what is inside of something indented
/// below it.
pub(super) fn outline(document: &Value) -> String {
    let mut text = String::new();
    write_below(&mut text, document, 0);
    text.truncate(text.trim_end().len());
    text
}

fn write_below(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                write_line(text, &tidy(name), member, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                write_line(text, "-", item, depth);
            }
        }
        _ => {}
    }
}

fn write_line(text: &mut String, name: &str, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let words = match value {
        Value::Null => "-".to_owned(),
        Value::String(words) => tidy(words),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(_) | Value::Object(_) => String::new(),
        other => other.to_string(),
    };
    // A `String` takes everything.
    let _ = writeln!(text, "{}", format!("{indent}{name} {words}").trim_end());
    write_below(text, value, depth + 1);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_is_told_and_nothing_moves_the_cursor() {
        let document = json!({
            "id": "A", "holder": {"purpose": "e2e\u{1b}[2J", "since": null},
            "cleanings": [{"number": 3, "passes": 7}, {"number": 2, "left": ["crn:1"]}],
            "faults": [],
        });
        let expected = "\
cleanings
  -
    number 3
    passes 7
  -
    left
      - crn:1
    number 2
faults none
holder
  purpose e2e\u{fffd}[2J
  since -
id A";
        assert_eq!(outline(&document), expected);
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [
            vec!["lite".to_owned(), String::new()],
            vec!["a".to_owned(), "wide\r".to_owned()],
        ];
        let lines = table(&["type", "n"], rows);
        assert_eq!(lines, "type  n\nlite  -\na     wide\u{fffd}");
    }
}
