//! Time as nova's tables keep it.

use std::time::{Duration, SystemTime};

use sea_orm::prelude::{TimeDateTime, TimeDateTimeWithTimeZone};

/// Now in UTC without a zone, in whole seconds: all that nova's `DATETIME` columns hold in MySQL.
pub(crate) fn now() -> TimeDateTime {
    from_system(SystemTime::now())
}

/// So long ago.
pub(crate) fn ago(age: Duration) -> TimeDateTime {
    let now = SystemTime::now();
    from_system(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
}

fn from_system(time: SystemTime) -> TimeDateTime {
    let utc = TimeDateTimeWithTimeZone::from(time);
    let whole = utc.replace_nanosecond(0).unwrap_or(utc);
    TimeDateTime::new(whole.date(), whole.time())
}

/// As the rest of the program counts time.
pub(crate) fn to_system(time: TimeDateTime) -> SystemTime {
    time.assume_utc().into()
}
