//! A line of the table: what was measured of whom, and whether it is good enough.

use std::fmt;

use crate::statistics::{median, spread};

/// What a figure must not exceed or fall below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// Ours divided by the rival's is at most this.
    RatioAtMost(f64),
    /// Ours divided by the rival's is at least this.
    RatioAtLeast(f64),
    /// Ours is at most this, whatever the rival's is.
    AtMost(f64),
    /// Nothing is promised; it is stated.
    Stated,
}

/// Ours and the rival's, a value a round, in the same order. A rival that was measured elsewhere has one value; without
/// a rival there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was measured, with its unit.
    pub what: String,
    /// Beside whom.
    pub rival: &'static str,
    /// Our values.
    pub ours: Vec<f64>,
    /// The rival's.
    pub theirs: Vec<f64>,
    /// What is good enough.
    pub bar: Bar,
}

impl Figure {
    /// Whether it is good enough.
    pub fn holds(&self) -> bool {
        match self.bar {
            Bar::RatioAtMost(most) => !self.theirs.is_empty() && self.ratio() <= most,
            Bar::RatioAtLeast(least) => !self.theirs.is_empty() && self.ratio() >= least,
            Bar::AtMost(most) => !self.ours.is_empty() && median(&self.ours) <= most,
            Bar::Stated => true,
        }
    }

    /// Ours divided by the rival's: the median of the rounds.
    pub fn ratio(&self) -> f64 {
        median(&self.ratios())
    }

    fn ratios(&self) -> Vec<f64> {
        if self.ours.len() == self.theirs.len() {
            let pairs = self.ours.iter().zip(&self.theirs);
            pairs.map(|(ours, theirs)| ours / theirs).collect()
        } else {
            let theirs = median(&self.theirs);
            self.ours.iter().map(|ours| ours / theirs).collect()
        }
    }

    /// What the columns are.
    pub fn heading() -> String {
        line(["", "kilonova", "rival", "", "ratio (rounds)", "bar", ""])
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alone = self.theirs.is_empty();
        let theirs = if alone {
            "-".to_owned()
        } else {
            number(median(&self.theirs))
        };
        let ratio = if alone {
            "-".to_owned()
        } else {
            let (least, most) = spread(&self.ratios());
            format!(
                "{} ({}..{})",
                number(self.ratio()),
                number(least),
                number(most)
            )
        };
        let bar = match self.bar {
            Bar::RatioAtMost(most) => format!("<= {most} x"),
            Bar::RatioAtLeast(least) => format!(">= {least} x"),
            Bar::AtMost(most) => format!("<= {most}"),
            Bar::Stated => "-".to_owned(),
        };
        let verdict = match (self.bar, self.holds()) {
            (Bar::Stated, _) => "",
            (_, true) => "ok",
            (_, false) => "FALLS SHORT",
        };
        let ours = number(median(&self.ours));
        let columns = [
            &self.what, &ours, &theirs, self.rival, &ratio, &bar, verdict,
        ];
        f.write_str(&line(columns))
    }
}

fn line([what, ours, theirs, rival, ratio, bar, verdict]: [&str; 7]) -> String {
    let line = format!("{what:56} {ours:>9} {theirs:>9} {rival:14} {ratio:22} {bar:>9} {verdict}");
    line.trim_end().to_owned()
}

/// Three digits that count.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        small if small < 0.995 => 3,
        small if small < 9.95 => 2,
        small if small < 99.5 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn figure(ours: &[f64], theirs: &[f64], bar: Bar) -> Figure {
        Figure {
            what: "CPU of a request, µs".to_owned(),
            rival: "bare hyper",
            ours: ours.to_vec(),
            theirs: theirs.to_vec(),
            bar,
        }
    }

    #[rstest]
    #[case(&[12.0], &[10.0], Bar::RatioAtMost(1.25), true)]
    #[case(&[12.6], &[10.0], Bar::RatioAtMost(1.25), false)]
    #[case(&[7.0], &[10.0], Bar::RatioAtLeast(0.7), true)]
    #[case(&[6.9], &[10.0], Bar::RatioAtLeast(0.7), false)]
    #[case(&[99.0], &[], Bar::AtMost(100.0), true)]
    #[case(&[101.0], &[], Bar::AtMost(100.0), false)]
    #[case::not_measured(&[], &[], Bar::AtMost(100.0), false)]
    #[case::without_a_rival(&[9.0], &[], Bar::RatioAtLeast(0.7), false)]
    #[case::only_stated(&[9.0], &[], Bar::Stated, true)]
    // The machine was busy in the second round: it slowed both, and so counts for neither.
    #[case::round_by_round(&[10.0, 30.0, 10.0], &[10.0, 30.0, 10.0], Bar::RatioAtMost(1.0), true)]
    #[case::one_value_for_all(&[300.0, 200.0, 400.0], &[2.0], Bar::RatioAtLeast(150.0), true)]
    fn judged(#[case] ours: &[f64], #[case] theirs: &[f64], #[case] bar: Bar, #[case] holds: bool) {
        assert_eq!(figure(ours, theirs, bar).holds(), holds);
    }

    #[test]
    fn a_line_says_it_all() {
        let figure = figure(
            &[12.5, 13.0, 12.0],
            &[10.0, 10.0, 10.0],
            Bar::RatioAtMost(1.2),
        );
        let words: Vec<String> = figure
            .to_string()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let expected =
            "CPU of a request, µs 12.5 10.0 bare hyper 1.25 (1.20..1.30) <= 1.2 x FALLS SHORT";
        assert_eq!(words.join(" "), expected);
    }

    #[rstest]
    #[case(0.7, "0.700")]
    #[case(1.254, "1.25")]
    #[case(12.34, "12.3")]
    #[case(45_678.9, "45679")]
    fn numbers_are_short(#[case] value: f64, #[case] text: &str) {
        assert_eq!(number(value), text);
    }
}
