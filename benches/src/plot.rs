//! Pictures as SVG: lines over logarithmic axes, and bars.

use std::fmt::Write as _;

/// Colours that differ for the colour-blind, too (after Okabe and Ito).
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#a0522d"];

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;

/// A line of a [`Plot`].
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Where it goes.
    pub points: Vec<(f64, f64)>,
}

/// Lines over two logarithmic axes. A zero on the x axis has a place of its own at its left end.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What is along.
    pub x: String,
    /// What is up.
    pub y: String,
    /// The lines.
    pub series: Vec<Series>,
}

/// Bars, a group of them for each row.
#[derive(Clone, PartialEq, Debug)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// What their length is.
    pub x: String,
    /// A name and how long its bar is.
    pub bars: Vec<(String, f64)>,
}

/// A logarithmic axis from pixel to pixel.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// One that has room for `values`, zeros left out.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|&value| value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        if !low.is_finite() {
            (low, high) = (1.0, 10.0);
        }
        // A little air, and never nothing.
        Self { low: low / 1.15, high: (high * 1.15).max(low * 2.0), from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let value = value.max(self.low);
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// Round numbers on it: of each decade 1, and 2 and 5 when there are few.
    fn ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = if decades > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let all =
            (first..=last).flat_map(|decade| steps.iter().map(move |s| s * 10f64.powi(decade)));
        all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

/// A number as people write it: 1500 as 1.5k.
#[must_use]
pub fn short(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = if scaled.abs() >= 100.0 || scaled.fract() == 0.0 {
        0
    } else if scaled.abs() >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{scaled:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn begin(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"16\">{}</text>\n",
        escape(title)
    )
}

impl Plot {
    /// Draws it.
    #[must_use]
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let has_zero = points().any(|(x, _)| x == 0.0);
        let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
        let begins = if has_zero { left + 60.0 } else { left };
        let x = Axis::over(points().map(|(x, _)| x), begins, right);
        let y = Axis::over(points().map(|(_, y)| y), bottom, TOP);
        let place = |value: f64| if value == 0.0 { left + 15.0 } else { x.at(value) };
        let mut svg = begin(HEIGHT, &self.title);
        let mut ticks: Vec<f64> = x.ticks();
        if has_zero {
            ticks.insert(0, 0.0);
        }
        for tick in ticks {
            let at = place(tick);
            line(&mut svg, (at, TOP), (at, bottom), "#e0e0e0");
            text(&mut svg, (at, bottom + 18.0), "middle", &short(tick));
        }
        for tick in y.ticks() {
            let at = y.at(tick);
            line(&mut svg, (left, at), (right, at), "#e0e0e0");
            text(&mut svg, (left - 8.0, at + 4.0), "end", &short(tick));
        }
        line(&mut svg, (left, bottom), (right, bottom), "black");
        line(&mut svg, (left, TOP), (left, bottom), "black");
        text(&mut svg, ((left + right) / 2.0, HEIGHT - 18.0), "middle", &self.x);
        let middle = (TOP + bottom) / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"22\" y=\"{middle}\" text-anchor=\"middle\" \
             transform=\"rotate(-90 22 {middle})\">{}</text>",
            escape(&self.y)
        );
        self.lines(&mut svg, place, |value| y.at(value), right);
        svg.push_str("</svg>\n");
        svg
    }

    fn lines(&self, svg: &mut String, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64, right: f64) {
        for (n, series) in self.series.iter().enumerate() {
            let colour = COLOURS[n % COLOURS.len()];
            let dash = ["", "6 3", "2 3"][n / COLOURS.len() % 3];
            let path: Vec<String> =
                series.points.iter().map(|&(a, b)| format!("{:.1},{:.1}", x(a), y(b))).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
                 stroke-dasharray=\"{dash}\"/>",
                path.join(" ")
            );
            for &(a, b) in &series.points {
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>",
                    x(a),
                    y(b)
                );
            }
            let at = TOP + 16.0 + 20.0 * n as f64;
            line(svg, (right + 14.0, at - 4.0), (right + 38.0, at - 4.0), colour);
            text(svg, (right + 44.0, at), "start", &series.name);
        }
    }
}

impl Bars {
    /// Draws them.
    #[must_use]
    pub fn svg(&self) -> String {
        const ROW: f64 = 26.0;
        let left = 190.0;
        let height = TOP + ROW * self.bars.len() as f64 + 40.0;
        let longest = self.bars.iter().map(|(_, value)| *value).fold(0.0, f64::max).max(1e-9);
        let scale = (WIDTH - left - 80.0) / longest;
        let mut svg = begin(height, &self.title);
        for (n, (name, value)) in self.bars.iter().enumerate() {
            let at = TOP + ROW * n as f64;
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                at,
                value * scale,
                ROW - 8.0,
                COLOURS[n % COLOURS.len()]
            );
            text(&mut svg, (left - 8.0, at + 14.0), "end", name);
            text(&mut svg, (left + value * scale + 6.0, at + 14.0), "start", &short(*value));
        }
        text(&mut svg, (left, height - 14.0), "start", &self.x);
        svg.push_str("</svg>\n");
        svg
    }
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
         stroke-width=\"{}\"/>",
        from.0,
        from.1,
        to.0,
        to.1,
        if colour.len() == 7 && colour != "#e0e0e0" { 2 } else { 1 }
    );
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        at.0,
        at.1,
        escape(text)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let all = [0.0, 7.0, 1.234, 12.34, 150.0, 1500.0, 10_000.0, 2.5e6, 3e9];
        let expected = ["0", "7", "1.23", "12.3", "150", "1.5k", "10k", "2.5M", "3G"];
        assert_eq!(all.map(short), expected);
    }

    #[test]
    fn a_plot_has_its_lines_inside_its_frame() {
        let points = vec![(0.0, 10.0), (100.0, 20.0), (10_000.0, 900.0)];
        let series = vec![Series { name: "a < b".to_owned(), points }];
        let plot = Plot { title: "t".into(), x: "x".into(), y: "y".into(), series };
        let svg = plot.svg();
        assert!(svg.contains("a &lt; b") && svg.trim_end().ends_with("</svg>"));
        let circles: Vec<&str> = svg.lines().filter(|line| line.starts_with("<circle")).collect();
        assert_eq!(circles.len(), 3);
        for circle in circles {
            let number = |name: &str| -> f64 {
                let rest = circle.split(&format!("{name}=\"")).nth(1).unwrap();
                rest.split('"').next().unwrap().parse().unwrap()
            };
            assert!((LEFT..=WIDTH - RIGHT).contains(&number("cx")), "{circle}");
            assert!((TOP..=HEIGHT - BOTTOM).contains(&number("cy")), "{circle}");
        }
    }

    #[test]
    fn the_longest_bar_is_the_widest() {
        let bars = vec![("one".to_owned(), 1.0), ("three".to_owned(), 3.0)];
        let svg = Bars { title: "t".into(), x: "x".into(), bars }.svg();
        let widths: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<rect x="))
            .map(|line| line.split("width=\"").nth(1).unwrap().split('"').next().unwrap())
            .map(|width| width.parse().unwrap())
            .collect();
        assert!((widths[1] / widths[0] - 3.0).abs() < 0.01, "{widths:?}");
    }
}
