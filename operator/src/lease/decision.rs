//! What to do about the Lease, given what it says and how long it has said so.
//!
//! | the Lease | we lead | we do not lead |
//! |---|---|---|
//! | absent | create it | create it; after its last holder's time, if there was another |
//! | free | take it | take it |
//! | ours | renew it | renew it: only our own former self can have written it |
//! | somebody else's, fresh | lost | wait |
//! | somebody else's, unchanged for its duration | lost | take it |
//!
//! No clock but our own monotonic one is asked: a Lease expires when *we* have seen it unchanged for its duration,
//! whatever times are written in it.

use std::time::Duration;

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; nobody if absent.
    pub holder: Option<String>,
    /// For how long an unchanged Lease counts.
    pub duration: Duration,
    /// How often it went from one holder to another.
    pub transitions: i32,
    /// When its holder says it renewed it. Only compared with itself.
    pub renewed: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write a new Lease; fails if there is one meanwhile.
    Create,
    /// Write ourselves into it; fails if it changed meanwhile.
    Hold {
        /// The transitions it has then.
        transitions: i32,
        /// Whether we take it, and not only keep it.
        taken: bool,
    },
    /// Look again after this long at the latest.
    Wait(Duration),
    /// Somebody else leads.
    Lost {
        /// Who.
        holder: String,
    },
}

/// The last Lease that was seen, and for how long it has been like that.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What it said.
    pub record: Record,
    /// How long ago it was first seen saying so.
    pub unchanged: Duration,
}

impl Sight {
    /// Until when this says that somebody other than `me` may be at work.
    fn barred(&self, me: &str) -> Option<Duration> {
        let other = self.record.holder.as_deref().is_some_and(|who| who != me);
        other
            .then(|| self.record.duration.saturating_sub(self.unchanged))
            .filter(|left| !left.is_zero())
    }
}

/// What `me` does. `found` is the Lease as it is now, `sight` what was seen of it up to and including now.
pub fn decide(found: Option<&Record>, sight: Option<&Sight>, me: &str, leading: bool) -> Step {
    let barred = sight.and_then(|sight| sight.barred(me));
    let Some(found) = found else {
        // Whoever held it when it was deleted may not have noticed yet.
        return barred.map_or(Step::Create, Step::Wait);
    };
    match found.holder.as_deref() {
        None => Step::Hold {
            transitions: found.transitions.saturating_add(1),
            taken: true,
        },
        Some(holder) if holder == me => Step::Hold {
            transitions: found.transitions,
            taken: !leading,
        },
        Some(holder) if leading => Step::Lost {
            holder: holder.to_owned(),
        },
        Some(_) => barred.map_or(
            Step::Hold {
                transitions: found.transitions.saturating_add(1),
                taken: true,
            },
            Step::Wait,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const FIFTEEN: Duration = Duration::from_secs(15);

    fn record(holder: Option<&str>) -> Record {
        Record {
            holder: holder.map(str::to_owned),
            duration: FIFTEEN,
            transitions: 3,
            renewed: None,
        }
    }

    fn hold(transitions: i32, taken: bool) -> Step {
        Step::Hold { transitions, taken }
    }

    fn wait(seconds: u64) -> Step {
        Step::Wait(Duration::from_secs(seconds))
    }

    fn lost() -> Step {
        Step::Lost {
            holder: "other".to_owned(),
        }
    }

    // Who holds it (`-` for nobody), how long it has been unchanged, whether we lead.
    #[rstest]
    #[case::free("-", 0, false, hold(4, true))]
    #[case::free_long_ago("-", 100, false, hold(4, true))]
    #[case::given_back_while_we_lead("-", 0, true, hold(4, true))]
    #[case::ours("me", 3, true, hold(3, false))]
    #[case::ours_but_late("me", 100, true, hold(3, false))]
    #[case::our_former_self_s("me", 0, false, hold(3, true))]
    #[case::fresh("other", 0, false, wait(15))]
    #[case::nearly_expired("other", 14, false, wait(1))]
    #[case::expired("other", 15, false, hold(4, true))]
    #[case::expired_long_ago("other", 1000, false, hold(4, true))]
    #[case::lost("other", 0, true, lost())]
    #[case::lost_and_expired("other", 1000, true, lost())]
    fn every_state_has_its_step(
        #[case] holder: &str,
        #[case] unchanged: u64,
        #[case] leading: bool,
        #[case] expected: Step,
    ) {
        let record = record((holder != "-").then_some(holder));
        let sight = Sight {
            record: record.clone(),
            unchanged: Duration::from_secs(unchanged),
        };
        assert_eq!(decide(Some(&record), Some(&sight), "me", leading), expected);
    }

    #[rstest]
    #[case::never_seen(None, false, Step::Create)]
    #[case::deleted_under_us(Some(("me", 0)), true, Step::Create)]
    #[case::deleted_under_another(Some(("other", 5)), false, wait(10))]
    #[case::deleted_under_another_long_ago(Some(("other", 15)), false, Step::Create)]
    #[case::given_back_and_deleted(Some(("-", 0)), false, Step::Create)]
    fn a_lease_that_is_absent_is_made(
        #[case] seen: Option<(&str, u64)>,
        #[case] leading: bool,
        #[case] expected: Step,
    ) {
        let sight = seen.map(|(holder, unchanged)| Sight {
            record: record((holder != "-").then_some(holder)),
            unchanged: Duration::from_secs(unchanged),
        });
        assert_eq!(decide(None, sight.as_ref(), "me", leading), expected);
    }

    /// A holder whose clock is an hour ahead or behind is judged like any other.
    #[rstest]
    #[case("2000-01-01T00:00:00Z")]
    #[case("2099-01-01T00:00:00Z")]
    fn clocks_of_others_do_not_count(#[case] renewed: &str) {
        let record = Record {
            renewed: Some(renewed.to_owned()),
            ..record(Some("other"))
        };
        let seen = |unchanged| Sight {
            record: record.clone(),
            unchanged: Duration::from_secs(unchanged),
        };
        assert_eq!(decide(Some(&record), Some(&seen(14)), "me", false), wait(1));
        assert_eq!(
            decide(Some(&record), Some(&seen(15)), "me", false),
            hold(4, true)
        );
    }
}
