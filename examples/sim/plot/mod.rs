//! Plots over time as SVG: panels one below the other, over the same seconds.
//!
//! | file | idea |
//! |---|---|
//! | `axis` | round numbers for an axis |
//! | `thin` | as many points as can be seen |
//! | `svg` | drawing |

mod axis;
mod svg;
mod thin;

pub(crate) use svg::draw;

/// Colours that differ for everybody (M. Okabe, K. Ito), on white.
pub(crate) mod color {
    pub(crate) const BLUE: &str = "#0072b2";
    pub(crate) const ORANGE: &str = "#e08a00";
    pub(crate) const GREEN: &str = "#009e73";
    pub(crate) const RED: &str = "#d02020";
    pub(crate) const PURPLE: &str = "#aa4499";
    pub(crate) const SKY: &str = "#3a9bd9";
    pub(crate) const GREY: &str = "#777777";
    /// For many lines of one kind.
    pub(crate) const ALL: &[&str] = &[BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY];
}

/// A page of panels.
#[derive(Debug, Default)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    /// What the time axis says.
    pub(crate) x_label: String,
    pub(crate) panels: Vec<Panel>,
}

/// One plot.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    pub(crate) title: String,
    /// What the value axis says, with the unit.
    pub(crate) y_label: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) bands: Vec<Band>,
    pub(crate) marks: Vec<Marks>,
}

/// Values over time. The value holds until the next point.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) color: &'static str,
    pub(crate) dashed: bool,
    /// Wide and pale: others are drawn on it.
    pub(crate) ground: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Line {
    pub(crate) fn new(name: &str, color: &'static str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), color, dashed: false, ground: false, points }
    }

    pub(crate) fn ground(mut self) -> Self {
        self.ground = true;
        self
    }

    pub(crate) fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }
}

/// A stretch of time with a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Band {
    pub(crate) name: &'static str,
    pub(crate) color: &'static str,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// Moments.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) name: String,
    pub(crate) color: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Marks {
    pub(crate) fn new(name: &str, color: &'static str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), color, points }
    }
}

impl Figure {
    /// The time of the first and of the last thing in it.
    fn span(&self) -> (f64, f64) {
        let lines = self.panels.iter().flat_map(|panel| &panel.lines);
        let marks = self.panels.iter().flat_map(|panel| &panel.marks);
        let points = lines.flat_map(|l| &l.points).chain(marks.flat_map(|m| &m.points));
        let bands = self.panels.iter().flat_map(|panel| &panel.bands);
        let times = points.map(|(x, _)| *x).chain(bands.flat_map(|band| [band.from, band.to]));
        let (from, to) = times
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), x| (from.min(x), to.max(x)));
        if to > from { (from, to) } else { (0.0, 1.0) }
    }
}

impl Panel {
    /// The largest value, with some air above.
    fn top(&self) -> f64 {
        let lines = self.lines.iter().flat_map(|line| &line.points);
        let marks = self.marks.iter().flat_map(|marks| &marks.points);
        let top = lines.chain(marks).map(|(_, y)| *y).fold(0.0, f64::max);
        if top > 0.0 { top * 1.05 } else { 1.0 }
    }
}
