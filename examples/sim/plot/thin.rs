//! As many points as can be seen: of those in one column of pixels, the first, the lowest, the
//! highest and the last.

/// Thins points whose `x` are pixels and grow.
pub(super) fn thin(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::new();
    let mut column: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if column.first().is_some_and(|first| first.0.floor() != point.0.floor()) {
            finish(&mut column, &mut out);
        }
        column.push(point);
    }
    finish(&mut column, &mut out);
    out
}

fn finish(column: &mut Vec<(f64, f64)>, out: &mut Vec<(f64, f64)>) {
    if column.len() > 4 {
        let by = |pick: fn(f64, f64) -> bool| {
            let mut best = 0;
            for at in 1..column.len() {
                if pick(column[at].1, column[best].1) {
                    best = at;
                }
            }
            best
        };
        let mut kept = [0, by(|a, b| a < b), by(|a, b| a > b), column.len() - 1];
        kept.sort_unstable();
        let mut last = usize::MAX;
        for at in kept {
            if at != last {
                out.push(column[at]);
            }
            last = at;
        }
    } else {
        out.append(column);
    }
    column.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay() {
        let points = (0..1000).map(|n| (f64::from(n) / 100.0, if n == 555 { 9.0 } else { 1.0 }));
        let thinned = thin(points);
        assert!(thinned.len() <= 40, "{}", thinned.len());
        assert!(thinned.contains(&(5.55, 9.0)));
        assert_eq!(thinned.first(), Some(&(0.0, 1.0)));
        assert_eq!(thinned.last(), Some(&(9.99, 1.0)));
    }
}
