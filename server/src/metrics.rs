//! The pod's metrics, made of a view at the moment they are asked for.

mod family;
mod tls;

use kilonova_config::status::{ApiStatus, PodState, WorkerState};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use crate::counters::{BOUNDS, CLASSES, METHODS, Snapshot};
use crate::reason::REASONS;
use crate::supervisor::View;
use crate::{VERSION, log};
use family::{Samples, counter, family, float, gauge, labels};

/// Prometheus' text format.
pub fn text(view: &View) -> prometheus::Result<String> {
    let mut text = Vec::new();
    let all = [pod(view), traffic(view), workers(view), tls::families(view)];
    let families: Vec<_> = all
        .into_iter()
        .flatten()
        .filter(|family| !family.get_metric().is_empty())
        .collect();
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn apis(view: &View) -> impl Iterator<Item = (&ApiStatus, &Snapshot)> {
    view.status.apis.iter().zip(&view.counters)
}

fn each(view: &View, value: fn(&ApiStatus, &Snapshot) -> u64) -> Samples {
    let sample = move |(api, counters)| (vec![api_label(api)], float(value(api, counters)));
    apis(view).map(sample).collect()
}

fn pod(view: &View) -> Vec<MetricFamily> {
    let by_workers = view
        .counters
        .iter()
        .map(|counters| counters.log_lines_dropped);
    let dropped = log::dropped() + by_workers.sum::<u64>();
    vec![
        gauge(
            "kilonova_build_info",
            "The release, as a label.",
            vec![(vec![("version", VERSION.to_owned())], 1.0)],
        ),
        counter(
            "kilonova_log_lines_dropped_total",
            "Lines that were not logged because whoever reads the log was too slow.",
            vec![(vec![], float(dropped))],
        ),
        counter(
            "kilonova_reloads_total",
            "Changed files that were taken over, or refused.",
            vec![
                (
                    vec![("result", "applied".to_owned())],
                    float(view.reloads.0),
                ),
                (
                    vec![("result", "refused".to_owned())],
                    float(view.reloads.1),
                ),
            ],
        ),
        gauge(
            "kilonova_database_reachable",
            "Whether the last attempt reached the database.",
            view.status
                .database
                .iter()
                .map(|database| (vec![], f64::from(u8::from(database.reachable))))
                .collect(),
        ),
        gauge(
            "kilonova_draining",
            "Whether the pod is about to stop.",
            vec![(
                vec![],
                f64::from(u8::from(view.status.state == PodState::Draining)),
            )],
        ),
    ]
}

fn traffic(view: &View) -> Vec<MetricFamily> {
    vec![
        counter(
            "kilonova_requests_total",
            "Answered requests.",
            apis(view)
                .flat_map(|(api, counters)| requests(api, counters))
                .collect(),
        ),
        counter(
            "kilonova_rejected_requests_total",
            "Requests and connections refused or given up before any app saw them.",
            apis(view)
                .flat_map(|(api, counters)| refused(api, counters))
                .collect(),
        ),
        durations(apis(view)),
        gauge(
            "kilonova_requests_in_flight",
            "Requests begun and not finished.",
            each(view, |_, counters| counters.in_flight),
        ),
        gauge(
            "kilonova_connections",
            "Open connections.",
            each(view, |_, counters| counters.connections()),
        ),
        counter(
            "kilonova_connections_total",
            "Connections that workers took charge of.",
            each(view, |_, counters| counters.accepted),
        ),
    ]
}

fn workers(view: &View) -> Vec<MetricFamily> {
    vec![
        gauge(
            "kilonova_workers",
            "Worker processes by state.",
            apis(view).flat_map(|(api, _)| states(api)).collect(),
        ),
        gauge(
            "kilonova_workers_desired",
            "Worker processes there should be.",
            each(view, |api, _| api.desired_workers.into()),
        ),
        counter(
            "kilonova_worker_deaths_total",
            "Workers that died without being told to.",
            each(view, |api, _| api.worker_restarts),
        ),
        gauge(
            "kilonova_failing",
            "Whether an API's workers do not stay alive.",
            each(view, |api, _| api.failing.is_some().into()),
        ),
    ]
}

fn api_label(api: &ApiStatus) -> (&'static str, String) {
    ("api", api.name.clone())
}

fn requests(api: &ApiStatus, counters: &Snapshot) -> Samples {
    let mut samples = Vec::new();
    for (method, classes) in METHODS.iter().zip(&counters.requests) {
        for (class, count) in CLASSES.iter().zip(classes) {
            if *count > 0 {
                let method = ("method", (*method).to_owned());
                let class = ("code_class", (*class).to_owned());
                samples.push((vec![api_label(api), method, class], float(*count)));
            }
        }
    }
    samples
}

fn refused(api: &ApiStatus, counters: &Snapshot) -> Samples {
    let counts = REASONS.iter().zip(counters.refused);
    counts
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| {
            let reason = ("reason", (*reason).to_owned());
            (vec![api_label(api), reason], float(count))
        })
        .collect()
}

fn states(api: &ApiStatus) -> Samples {
    let states = [
        WorkerState::Starting,
        WorkerState::Ready,
        WorkerState::Retiring,
    ];
    states
        .iter()
        .map(|state| {
            let count = api
                .workers
                .iter()
                .filter(|worker| worker.state == *state)
                .count();
            let state = format!("{state:?}").to_lowercase();
            (vec![api_label(api), ("state", state)], float(count as u64))
        })
        .collect()
}

fn durations<'a>(apis: impl Iterator<Item = (&'a ApiStatus, &'a Snapshot)>) -> MetricFamily {
    let metrics = apis.map(|(api, counters)| {
        let mut cumulative = 0;
        let buckets = BOUNDS
            .iter()
            .zip(&counters.durations)
            .map(|(bound, count)| {
                cumulative += count;
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(cumulative);
                bucket
            });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(counters.durations.iter().sum());
        histogram.set_sample_sum(float(counters.microseconds) / 1e6);
        let mut metric = Metric::from_label(labels(vec![api_label(api)]));
        metric.set_histogram(histogram);
        metric
    });
    family(
        "kilonova_request_duration_seconds",
        "Time from the head of a request to the last byte of its answer.",
        MetricType::HISTOGRAM,
        metrics.collect(),
    )
}
