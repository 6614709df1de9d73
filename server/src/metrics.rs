//! The pod's metrics, made of a view at the moment they are asked for.

use kilonova_config::status::{ApiStatus, PodState, WorkerState};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{Encoder, TextEncoder};

use crate::VERSION;
use crate::counters::{BOUNDS, CLASSES, METHODS, Snapshot};
use crate::supervisor::View;

/// Prometheus' text format.
pub fn text(view: &View) -> prometheus::Result<String> {
    let mut text = Vec::new();
    let families: Vec<_> = families(view)
        .into_iter()
        .filter(|family| !family.get_metric().is_empty())
        .collect();
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Every family of the pod, in one list.
fn families(view: &View) -> Vec<MetricFamily> {
    let apis = || view.status.apis.iter().zip(&view.counters);
    let each = |value: fn(&ApiStatus, &Snapshot) -> u64| {
        let sample = move |(api, counters)| (vec![api_label(api)], float(value(api, counters)));
        apis().map(sample).collect::<Vec<_>>()
    };
    let tls = || apis().filter_map(|(api, _)| Some((api, api.tls.as_ref()?)));
    vec![
        gauge(
            "kilonova_build_info",
            "The release, as a label.",
            vec![(vec![("version", VERSION.to_owned())], 1.0)],
        ),
        counter(
            "kilonova_requests_total",
            "Answered requests.",
            apis()
                .flat_map(|(api, counters)| requests(api, counters))
                .collect(),
        ),
        durations(apis()),
        gauge(
            "kilonova_requests_in_flight",
            "Requests begun and not finished.",
            each(|_, counters| counters.in_flight),
        ),
        gauge(
            "kilonova_connections",
            "Open connections.",
            each(|_, counters| counters.connections()),
        ),
        counter(
            "kilonova_connections_total",
            "Connections that workers took charge of.",
            each(|_, counters| counters.accepted),
        ),
        gauge(
            "kilonova_workers",
            "Worker processes by state.",
            apis().flat_map(|(api, _)| workers(api)).collect(),
        ),
        gauge(
            "kilonova_workers_desired",
            "Worker processes there should be.",
            each(|api, _| api.desired_workers.into()),
        ),
        counter(
            "kilonova_worker_deaths_total",
            "Workers that died without being told to.",
            each(|api, _| api.worker_restarts),
        ),
        gauge(
            "kilonova_failing",
            "Whether an API's workers do not stay alive.",
            each(|api, _| api.failing.is_some().into()),
        ),
        gauge(
            "kilonova_tls_not_after_timestamp_seconds",
            "Last second of the served certificate.",
            tls()
                .map(|(api, tls)| (vec![api_label(api)], signed(tls.not_after)))
                .collect(),
        ),
        gauge(
            "kilonova_tls_serial_info",
            "Serial number of the served certificate, as a label.",
            tls()
                .map(|(api, tls)| (vec![api_label(api), ("serial", tls.serial.clone())], 1.0))
                .collect(),
        ),
        counter(
            "kilonova_tls_handshake_errors_total",
            "TLS handshakes that failed.",
            each(|_, counters| counters.handshake_errors),
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
            "kilonova_draining",
            "Whether the pod is about to stop.",
            vec![(
                vec![],
                f64::from(u8::from(view.status.state == PodState::Draining)),
            )],
        ),
    ]
}

type Labels = Vec<(&'static str, String)>;
type Samples = Vec<(Labels, f64)>;

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

fn workers(api: &ApiStatus) -> Samples {
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

fn counter(name: &str, help: &str, samples: Samples) -> MetricFamily {
    let metrics = samples.into_iter().map(|(names, value)| {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = Metric::from_label(labels(names));
        metric.set_counter(counter);
        metric
    });
    family(name, help, MetricType::COUNTER, metrics.collect())
}

fn gauge(name: &str, help: &str, samples: Samples) -> MetricFamily {
    let metrics = samples.into_iter().map(|(names, value)| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(labels(names));
        metric.set_gauge(gauge);
        metric
    });
    family(name, help, MetricType::GAUGE, metrics.collect())
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn labels(mut names: Labels) -> Vec<LabelPair> {
    names.sort_unstable();
    names
        .into_iter()
        .map(|(name, value)| {
            let mut label = LabelPair::default();
            label.set_name(name.to_owned());
            label.set_value(value);
            label
        })
        .collect()
}

/// Exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
fn float(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_precision_loss)]
fn signed(value: i64) -> f64 {
    value as f64
}
