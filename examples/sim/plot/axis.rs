//! Round numbers for an axis.

/// About `wanted` round numbers from `from` to `to`.
pub(super) fn ticks(from: f64, to: f64, wanted: usize) -> Vec<f64> {
    let step = step_for((to - from) / wanted.max(1) as f64);
    let first = (from / step).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// 1, 2 or 5 times a power of ten, the next one that is not smaller.
fn step_for(rough: f64) -> f64 {
    if rough <= 0.0 || !rough.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|n| n * power)
        .into_iter()
        .find(|s| *s >= rough * 0.999)
        .unwrap_or(power)
}

/// A number as people read it.
pub(super) fn label(value: f64, step: f64) -> String {
    if step >= 1.0 {
        let digits = format!("{:.0}", value.abs());
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                grouped.push('\u{2009}');
            }
            grouped.push(digit);
        }
        return grouped;
    }
    let decimals = (-step.log10()).ceil().max(0.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(0.3, 1.7, 3), [0.5, 1.0, 1.5]);
        assert_eq!(ticks(0.0, 0.0, 5), [0.0]);
        assert_eq!(label(12_000.0, 2000.0), "12\u{2009}000");
        assert_eq!(label(0.25, 0.05), "0.25");
    }
}
