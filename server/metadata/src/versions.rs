//! The lists of versions (nova: `api/metadata/base.py`).

use jiff::civil::Date;

/// What stands at `/` and `/ec2` (`VERSIONS`, and `latest`).
pub(crate) const EC2: &str = "1.0\n2007-01-19\n2007-03-01\n2007-08-29\n2007-10-10\n2007-12-15\n2008-02-01\n2008-09-01\n\
                              2009-04-04\nlatest";

/// The versions below `/openstack`, which are days (`OPENSTACK_VERSIONS`).
const OPENSTACK: [&str; 10] = [
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "2025-04-04",
];

/// What stands at `/openstack`: its versions but those in the future, and `latest` (`InstanceMetadata.lookup`).
pub(crate) fn openstack(today: Date) -> String {
    let today = today.to_string();
    let past = OPENSTACK
        .into_iter()
        .filter(|version| *version <= today.as_str());
    past.chain(["latest"]).collect::<Vec<_>>().join("\n")
}

/// The versions that are in the future on this day.
pub(crate) fn hidden(today: Date) -> Vec<&'static str> {
    let today = today.to_string();
    OPENSTACK
        .into_iter()
        .filter(|version| *version > today.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn future_versions_are_hidden_as_by_nova() {
        let recorded: BTreeMap<Date, String> = serde_json::from_str::<BTreeMap<String, String>>(
            include_str!("../tests/nova34/dates.json"),
        )
        .unwrap()
        .into_iter()
        .map(|(day, list)| (day.parse().unwrap(), list))
        .collect();
        assert!(!recorded.is_empty());
        for (day, list) in recorded {
            assert_eq!(openstack(day), list, "{day}");
        }
    }

    #[test]
    fn what_is_listed_is_not_hidden() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(hidden(day("2025-04-04")), [""; 0]);
        assert_eq!(hidden(day("2020-10-13")), ["2020-10-14", "2025-04-04"]);
        assert_eq!(hidden(day("1970-01-01")), OPENSTACK);
    }
}
