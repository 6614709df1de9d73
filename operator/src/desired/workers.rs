//! How many workers an API gets when nobody says so.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kilonova_config::MAX_WORKERS;

use crate::api::{Api, Resources};

/// Workers of an API in each of its pods: what was asked for, else one for each CPU the container may use.
pub fn workers(api: &Api, resources: Option<&Resources>) -> i32 {
    api.workers.unwrap_or_else(|| default_workers(resources))
}

/// The CPU limit, else the request, rounded up; else 1.
fn default_workers(resources: Option<&Resources>) -> i32 {
    let cpu = resources.and_then(|resources| {
        resources
            .limits
            .get("cpu")
            .or_else(|| resources.requests.get("cpu"))
    });
    let cpus = cpu.and_then(ceiling).unwrap_or(1);
    cpus.clamp(1, MAX_WORKERS.cast_signed())
}

/// A quantity of CPUs, rounded up; `None` for what is no such quantity.
fn ceiling(quantity: &Quantity) -> Option<i32> {
    let text = quantity.0.as_str();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let scale = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        exponent => 10_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    // Below a millionth of a CPU is what floating point adds, not what anybody asked for.
    let cpus = (number * scale - 1e-6).ceil();
    if cpus > f64::from(MAX_WORKERS) {
        return Some(MAX_WORKERS.cast_signed());
    }
    // In range by the line above; saturates below.
    #[allow(clippy::cast_possible_truncation)]
    let cpus = cpus as i32;
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn resources(request: Option<&str>, limit: Option<&str>) -> Resources {
        let cpu = |amount: Option<&str>| {
            amount
                .map(|amount| ("cpu".to_owned(), Quantity(amount.to_owned())))
                .into_iter()
                .collect()
        };
        Resources {
            requests: cpu(request),
            limits: cpu(limit),
        }
    }

    #[rstest]
    #[case(None, None, 1)]
    #[case(Some("3"), None, 3)]
    #[case(Some("3"), Some("2"), 2)]
    #[case(None, Some("500m"), 1)]
    #[case(None, Some("1001m"), 2)]
    #[case(None, Some("2000m"), 2)]
    #[case(None, Some("1.5"), 2)]
    #[case(None, Some("1e1"), 10)]
    #[case(None, Some("1E1"), 10)]
    #[case(None, Some("2000000u"), 2)]
    #[case(None, Some("1k"), 512)]
    #[case(None, Some("0"), 1)]
    #[case(None, Some("2Gi"), 1)]
    #[case(None, Some("many"), 1)]
    fn one_worker_for_each_cpu(
        #[case] request: Option<&str>,
        #[case] limit: Option<&str>,
        #[case] expected: i32,
    ) {
        assert_eq!(default_workers(Some(&resources(request, limit))), expected);
    }
}
