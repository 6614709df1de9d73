//! Prometheus' families, made of samples.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

pub type Labels = Vec<(&'static str, String)>;
pub type Samples = Vec<(Labels, f64)>;

pub fn counter(name: &str, help: &str, samples: Samples) -> MetricFamily {
    let metrics = samples.into_iter().map(|(names, value)| {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = Metric::from_label(labels(names));
        metric.set_counter(counter);
        metric
    });
    family(name, help, MetricType::COUNTER, metrics.collect())
}

pub fn gauge(name: &str, help: &str, samples: Samples) -> MetricFamily {
    let metrics = samples.into_iter().map(|(names, value)| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(labels(names));
        metric.set_gauge(gauge);
        metric
    });
    family(name, help, MetricType::GAUGE, metrics.collect())
}

pub fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

pub fn labels(mut names: Labels) -> Vec<LabelPair> {
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
pub fn float(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_precision_loss)]
pub fn signed(value: i64) -> f64 {
    value as f64
}
