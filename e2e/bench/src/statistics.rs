//! Medians and percentiles.

/// The middle of the values, or the mean of the two in the middle; 0 when there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// The least and the most; 0 when there are none.
pub fn spread(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().reduce(f64::min);
    let most = values.iter().copied().reduce(f64::max);
    (least.unwrap_or_default(), most.unwrap_or_default())
}

/// The value that so many in a thousand do not exceed (nearest rank); the default when there are none.
pub fn per_mille<T: Ord + Copy + Default>(values: &mut [T], rank: usize) -> T {
    values.sort_unstable();
    let place = (values.len() * rank).div_ceil(1000);
    values
        .get(place.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], 0.0, (0.0, 0.0))]
    #[case(&[3.0], 3.0, (3.0, 3.0))]
    #[case(&[9.0, 1.0, 2.0], 2.0, (1.0, 9.0))]
    #[case(&[4.0, 1.0, 2.0, 100.0], 3.0, (1.0, 100.0))]
    fn middle_and_ends(#[case] values: &[f64], #[case] middle: f64, #[case] ends: (f64, f64)) {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(median(values), middle), "{}", median(values));
        let (least, most) = spread(values);
        assert!(close(least, ends.0) && close(most, ends.1));
    }

    #[rstest]
    #[case(0, 990, 0)]
    #[case(1, 990, 1)]
    #[case(100, 990, 99)]
    #[case(101, 990, 100)]
    #[case(100, 500, 50)]
    #[case(100, 1000, 100)]
    fn nearest_rank(#[case] values: u32, #[case] rank: usize, #[case] expected: u32) {
        let mut values: Vec<u32> = (1..=values).rev().collect();
        assert_eq!(per_mille(&mut values, rank), expected);
    }
}
