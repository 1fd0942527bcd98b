//! Drawing a figure: titles, axes with units, a legend beside each panel, on a light ground.

use std::fmt::Write as _;

use super::axis::{label, ticks};
use super::thin::thin;
use super::{Figure, Line, Panel};

const WIDTH: f64 = 1360.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 1100.0;
const TOP: f64 = 104.0;
const PANEL: f64 = 250.0;
const GAP: f64 = 62.0;
const LEGEND: f64 = RIGHT + 22.0;

/// Where values are on the page.
struct Frame {
    from: f64,
    to: f64,
    top: f64,
    y: f64,
}

impl Frame {
    fn x(&self, time: f64) -> f64 {
        LEFT + (time - self.from) / (self.to - self.from) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        self.y + PANEL - value / self.top * PANEL
    }
}

/// The figure as an SVG document.
pub(crate) fn draw(figure: &Figure) -> String {
    let panels = figure.panels.len() as f64;
    let height = TOP + panels * PANEL + (panels - 1.0).max(0.0) * GAP + 70.0;
    let mut out = String::new();
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"DejaVu Sans, Helvetica, sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    out.push_str(&head);
    text(&mut out, LEFT, 34.0, 21, "start", "#111111", &figure.title);
    text(&mut out, LEFT, 58.0, 13, "start", "#555555", &figure.subtitle);
    let (from, to) = figure.span();
    for (number, panel) in figure.panels.iter().enumerate() {
        let y = TOP + number as f64 * (PANEL + GAP);
        let frame = Frame { from, to, top: panel.top(), y };
        draw_panel(&mut out, panel, &frame);
        if number + 1 == figure.panels.len() {
            let middle = (LEFT + RIGHT) / 2.0;
            text(&mut out, middle, y + PANEL + 46.0, 13, "middle", "#333333", &figure.x_label);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn text(out: &mut String, x: f64, y: f64, size: u32, anchor: &str, color: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let written = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" \
         fill=\"{color}\">{words}</text>"
    );
    debug_assert!(written.is_ok(), "a string takes everything");
}

fn rect(out: &mut String, x: f64, y: f64, width: f64, height: f64, style: &str) {
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {style}/>"
    );
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let _ = writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {style}/>",
        from.0, from.1, to.0, to.1
    );
}

fn draw_panel(out: &mut String, panel: &Panel, frame: &Frame) {
    let (top, bottom) = (frame.y, frame.y + PANEL);
    rect(out, LEFT, top, RIGHT - LEFT, PANEL, "fill=\"#fcfcfc\" stroke=\"none\"");
    for band in &panel.bands {
        let (from, to) = (frame.x(band.from), frame.x(band.to));
        let style = format!("fill=\"{}\" stroke=\"none\"", band.color);
        rect(out, from, top, (to - from).max(0.5), PANEL, &style);
    }
    draw_axes(out, panel, frame);
    for one in &panel.lines {
        draw_line(out, one, frame);
    }
    for marks in &panel.marks {
        let mut last = f64::NEG_INFINITY;
        for (time, value) in &marks.points {
            let (x, y) = (frame.x(*time), frame.y(*value));
            // Marks on top of each other look like one.
            if x - last < 0.7 {
                continue;
            }
            last = x;
            let style = format!("stroke=\"{}\" stroke-width=\"1.4\"", marks.color);
            line(out, (x - 3.0, y - 3.0), (x + 3.0, y + 3.0), &style);
            line(out, (x - 3.0, y + 3.0), (x + 3.0, y - 3.0), &style);
        }
    }
    rect(out, LEFT, top, RIGHT - LEFT, bottom - top, "fill=\"none\" stroke=\"#444444\"");
    text(out, LEFT, top - 9.0, 14, "start", "#111111", &panel.title);
    draw_legend(out, panel, frame);
}

fn draw_axes(out: &mut String, panel: &Panel, frame: &Frame) {
    let (top, bottom) = (frame.y, frame.y + PANEL);
    let grid = "stroke=\"#000000\" stroke-opacity=\"0.10\"";
    let values = ticks(0.0, frame.top, 6);
    let step = values.get(1).map_or(1.0, |second| second - values[0]);
    for value in values {
        let y = frame.y(value);
        line(out, (LEFT, y), (RIGHT, y), grid);
        text(out, LEFT - 8.0, y + 4.0, 12, "end", "#333333", &label(value, step));
    }
    let times = ticks(frame.from, frame.to, 12);
    let step = times.get(1).map_or(1.0, |second| second - times[0]);
    for time in times {
        let x = frame.x(time);
        line(out, (x, top), (x, bottom), grid);
        text(out, x, bottom + 18.0, 12, "middle", "#333333", &label(time, step));
    }
    let middle = f64::midpoint(top, bottom);
    let _ = writeln!(
        out,
        "<g transform=\"translate(24 {middle:.1}) rotate(-90)\"><text font-size=\"13\" \
         text-anchor=\"middle\" fill=\"#333333\">{}</text></g>",
        panel.y_label
    );
}

/// A line whose values hold until the next one: steps.
fn draw_line(out: &mut String, one: &Line, frame: &Frame) {
    let points = thin(one.points.iter().map(|(x, y)| (frame.x(*x), frame.y(*y))));
    let Some((first, rest)) = points.split_first() else { return };
    let mut path = format!("M{:.1} {:.1}", first.0, first.1);
    for (x, y) in rest {
        let _ = write!(path, "H{x:.1}V{y:.1}");
    }
    let style = stroke(one, 1.6);
    let _ = writeln!(out, "<path d=\"{path}\" fill=\"none\" {style}/>");
}

fn stroke(one: &Line, width: f64) -> String {
    let dashes = if one.dashed { " stroke-dasharray=\"6 4\"" } else { "" };
    let (width, opacity) = if one.ground { (6.0, 0.35) } else { (width, 1.0) };
    let color = one.color;
    format!("stroke=\"{color}\" stroke-width=\"{width}\" stroke-opacity=\"{opacity}\"{dashes}")
}

fn draw_legend(out: &mut String, panel: &Panel, frame: &Frame) {
    let mut y = frame.y + 14.0;
    for one in &panel.lines {
        let style = stroke(one, 2.2);
        line(out, (LEGEND, y - 4.0), (LEGEND + 26.0, y - 4.0), &style);
        text(out, LEGEND + 34.0, y, 12, "start", "#222222", &one.name);
        y += 19.0;
    }
    for marks in &panel.marks {
        let style = format!("stroke=\"{}\" stroke-width=\"1.6\"", marks.color);
        let x = LEGEND + 13.0;
        line(out, (x - 4.0, y - 8.0), (x + 4.0, y), &style);
        line(out, (x - 4.0, y), (x + 4.0, y - 8.0), &style);
        let words = format!("{} ({})", marks.name, marks.points.len());
        text(out, LEGEND + 34.0, y, 12, "start", "#222222", &words);
        y += 19.0;
    }
    let mut named: Vec<&str> = Vec::new();
    for band in &panel.bands {
        if !named.contains(&band.name) {
            named.push(band.name);
            let style = format!("fill=\"{}\" stroke=\"#999999\" stroke-width=\"0.5\"", band.color);
            rect(out, LEGEND, y - 11.0, 26.0, 13.0, &style);
            text(out, LEGEND + 34.0, y, 12, "start", "#222222", band.name);
            y += 19.0;
        }
    }
}
