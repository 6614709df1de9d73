//! When to speak of a date: at each threshold once, and once a day while it is over.

use jiff::Timestamp;

/// Seconds.
const DAY: i64 = 24 * 60 * 60;
/// Days before the last second of a certificate at which it is spoken of.
const THRESHOLDS: [i64; 4] = [1, 7, 14, 30];

/// Something that holds from one second to another, both since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// Its first second.
    pub from: i64,
    /// Its last second.
    pub until: i64,
}

/// What has a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The certificate that is served.
    Certificate,
    /// A certificate of the clients' CA.
    Authority,
    /// A revocation list. It lives for a day or a week, so nothing is said before its end.
    RevocationList,
}

/// Where in its term something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not begun.
    NotYet,
    /// Nothing to say.
    Fine,
    /// It ends within so many days.
    Ending(i64),
    /// It is over.
    Over,
}

/// What was last said of a term, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reminder {
    said: Option<(Stage, i64)>,
}

impl Term {
    /// Where it is at `now`.
    pub fn stage(&self, now: i64) -> Stage {
        if now < self.from {
            return Stage::NotYet;
        }
        if now > self.until {
            return Stage::Over;
        }
        let left = self.until - now;
        let near = THRESHOLDS
            .into_iter()
            .find(|days| self.kind != Kind::RevocationList && left <= days * DAY);
        near.map_or(Stage::Fine, Stage::Ending)
    }

    /// What is to be said of it at a stage, and whether it is an error; `None` when there is nothing to say.
    pub fn words(&self, stage: Stage) -> Option<(bool, String)> {
        let name = &self.name;
        let what = match self.kind {
            Kind::Certificate => format!("certificate {name}"),
            Kind::Authority => format!("client CA {name}"),
            Kind::RevocationList => format!("CRL {name}"),
        };
        let grave = self.kind == Kind::Certificate;
        match (stage, self.kind) {
            (Stage::Fine, _) => None,
            (Stage::NotYet, _) => Some((
                grave,
                format!("{what} is not valid yet: clients will refuse it"),
            )),
            (Stage::Ending(days), _) => Some((
                false,
                format!(
                    "{what} expires in {days} days or less, at {}: renew it",
                    date(self.until)
                ),
            )),
            (Stage::Over, Kind::Certificate) => Some((
                grave,
                format!("{what} has EXPIRED: clients will refuse it. Renew it now."),
            )),
            (Stage::Over, Kind::Authority) => Some((
                grave,
                format!("{what} has expired: its clients are still let in. Replace it."),
            )),
            (Stage::Over, Kind::RevocationList) => Some((
                grave,
                format!(
                    "{what} should have been replaced at {}: it still counts. Replace it.",
                    date(self.until)
                ),
            )),
        }
    }
}

impl Reminder {
    /// The stage to speak of now, if any; it counts as said.
    pub fn due(&mut self, stage: Stage, now: i64) -> Option<Stage> {
        let again = match self.said {
            None => true,
            Some((said, _)) if said != stage => true,
            Some((_, at)) => {
                matches!(stage, Stage::Over | Stage::NotYet) && now.saturating_sub(at) >= DAY
            }
        };
        if again {
            self.said = Some((stage, now));
        }
        (again && stage != Stage::Fine).then_some(stage)
    }
}

fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// Terms, and what was last said of each.
#[derive(Clone, Debug, Default)]
pub struct Reminders(Vec<(Term, Reminder)>);

impl Reminders {
    /// Terms of which nothing was said yet.
    pub fn of(terms: Vec<Term>) -> Self {
        let unsaid = |term| (term, Reminder::default());
        Self(terms.into_iter().map(unsaid).collect())
    }

    /// What is to be said now, and whether it is an error.
    pub fn due(&mut self, now: i64) -> Vec<(bool, String)> {
        let due = |(term, reminder): &mut (Term, Reminder)| {
            let stage = reminder.due(term.stage(now), now)?;
            term.words(stage)
        };
        self.0.iter_mut().filter_map(due).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const END: i64 = 1_000 * DAY;

    fn term() -> Term {
        Term {
            kind: Kind::Certificate,
            name: "AB01".to_owned(),
            from: 0,
            until: END,
        }
    }

    #[rstest]
    #[case(-1, Stage::NotYet)]
    #[case(0, Stage::Fine)]
    #[case(END - 30 * DAY - 1, Stage::Fine)]
    #[case(END - 30 * DAY, Stage::Ending(30))]
    #[case(END - 14 * DAY, Stage::Ending(14))]
    #[case(END - 7 * DAY, Stage::Ending(7))]
    #[case(END - DAY, Stage::Ending(1))]
    #[case(END, Stage::Ending(1))]
    #[case(END + 1, Stage::Over)]
    fn a_term_has_stages(#[case] now: i64, #[case] expected: Stage) {
        assert_eq!(term().stage(now), expected);
    }

    #[test]
    fn what_is_short_lived_is_not_spoken_of_before_its_end() {
        let list = Term {
            kind: Kind::RevocationList,
            ..term()
        };
        assert_eq!(list.stage(END), Stage::Fine);
        assert_eq!(list.stage(END + 1), Stage::Over);
    }

    #[test]
    fn each_threshold_is_said_once_and_the_end_every_day() {
        let mut reminder = Reminder::default();
        let mut said = Vec::new();
        // Every second is too much for a test; every hour shows the same.
        for hour in 0..(1_003 * 24) {
            let now = hour * 60 * 60;
            if let Some(stage) = reminder.due(term().stage(now), now) {
                said.push((now.div_euclid(DAY), stage));
            }
        }
        assert_eq!(
            said,
            [
                (970, Stage::Ending(30)),
                (986, Stage::Ending(14)),
                (993, Stage::Ending(7)),
                (999, Stage::Ending(1)),
                (1000, Stage::Over),
                (1001, Stage::Over),
                (1002, Stage::Over),
            ]
        );
    }

    #[test]
    fn a_start_close_to_the_end_is_told_at_once() {
        let mut reminder = Reminder::default();
        assert_eq!(reminder.due(Stage::Ending(7), 0), Some(Stage::Ending(7)));
        assert_eq!(reminder.due(Stage::Ending(7), 3 * DAY), None);
        assert_eq!(reminder.due(Stage::Over, 3 * DAY), Some(Stage::Over));
        assert_eq!(reminder.due(Stage::Over, 4 * DAY - 1), None);
        assert_eq!(reminder.due(Stage::Over, 4 * DAY), Some(Stage::Over));
    }

    #[test]
    fn the_words_name_what_it_is_and_what_follows() {
        let mut reminders = Reminders::of(vec![term()]);
        assert_eq!(reminders.due(END - 31 * DAY), []);
        assert_eq!(
            reminders.due(END - 8 * DAY),
            [(
                false,
                "certificate AB01 expires in 14 days or less, at 1972-09-27T00:00:00Z: renew it"
                    .to_owned()
            )]
        );
        let (error, words) = reminders.due(END + 1).remove(0);
        assert!(error && words.contains("AB01 has EXPIRED"), "{words}");
    }

    #[test]
    fn what_was_renewed_is_spoken_of_anew() {
        let mut reminder = Reminder::default();
        reminder.due(Stage::Over, 0);
        assert_eq!(reminder.due(Stage::Fine, 1), None);
        assert_eq!(reminder.due(Stage::Over, 2), Some(Stage::Over));
    }
}
