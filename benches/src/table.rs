//! Tables of Markdown, and medians.

use std::fmt::Write as _;

/// A table of Markdown.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    columns: usize,
    text: String,
}

impl Table {
    /// One with these heads.
    #[must_use]
    pub fn new<S: AsRef<str>>(heads: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self { columns: 0, text: String::new() };
        table.row(heads);
        table.columns = table.text.matches('|').count().saturating_sub(1);
        let rule = "|---".repeat(table.columns);
        let _ = writeln!(table.text, "{rule}|");
        table
    }

    /// Another row.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.text.push('|');
        for cell in cells {
            let _ = write!(self.text, " {} |", cell.as_ref().replace('|', "\\|"));
        }
        self.text.push('\n');
    }

    /// The whole.
    #[must_use]
    pub fn markdown(&self) -> &str {
        &self.text
    }
}

/// The middle of `values`; `None` when there are none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// How far apart the inner half of `values` lies, as a share of their median.
#[must_use]
pub fn spread(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = median(values.iter().copied())?;
    let quarter = values.len() / 4;
    let inner = values[values.len() - 1 - quarter] - values[quarter];
    (middle > 0.0).then(|| inner / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_rule_as_wide_as_its_heads() {
        let mut table = Table::new(["a", "b"]);
        table.row(["1", "2 | 3"]);
        assert_eq!(table.markdown(), "| a | b |\n|---|---|\n| 1 | 2 \\| 3 |\n");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([f64::NAN]), None);
        assert_eq!(spread([1.0, 2.0, 2.0, 2.0, 9.0]), Some(0.0));
        assert_eq!(spread([1.0, 3.0]), Some(1.0));
    }
}
