//! What the operator counts. Labels are bounded by the number of `ApiService`s and of kinds.

use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// All families of the operator.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    duration: Histogram,
    writes: IntCounterVec,
    backoff: IntGauge,
    tls_not_after: GaugeVec,
}

impl Metrics {
    /// Registers all families.
    pub fn new() -> Result<Self, prometheus::Error> {
        let metrics = Self {
            registry: Registry::new(),
            reconciles: IntCounterVec::new(
                Opts::new(
                    "kilonova_operator_reconcile_total",
                    "Reconciles by outcome: unchanged, changed, or the class of the error.",
                ),
                &["outcome"],
            )?,
            duration: Histogram::with_opts(
                HistogramOpts::new(
                    "kilonova_operator_reconcile_duration_seconds",
                    "How long a reconcile took.",
                )
                .buckets(vec![
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
                ]),
            )?,
            writes: IntCounterVec::new(
                Opts::new(
                    "kilonova_operator_writes_total",
                    "Requests to the API server that are not reads, Events and status included. Flat while nothing \
                     changes.",
                ),
                &["kind", "verb"],
            )?,
            backoff: IntGauge::new(
                "kilonova_operator_objects_in_backoff",
                "ApiServices whose last reconcile failed.",
            )?,
            tls_not_after: GaugeVec::new(
                Opts::new(
                    "kilonova_tls_not_after_timestamp_seconds",
                    "When the certificate in an API's Secret expires, in seconds since 1970.",
                ),
                &["namespace", "name", "api"],
            )?,
        };
        let build = IntGaugeVec::new(
            Opts::new(
                "kilonova_operator_build_info",
                "1, labelled with the release.",
            ),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.reconciles.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.writes.clone()))?;
        registry.register(Box::new(metrics.backoff.clone()))?;
        registry.register(Box::new(metrics.tls_not_after.clone()))?;
        registry.register(Box::new(build))?;
        Ok(metrics)
    }

    /// A reconcile ended.
    pub fn reconciled(&self, outcome: &str, seconds: f64) {
        self.reconciles.with_label_values(&[outcome]).inc();
        self.duration.observe(seconds);
    }

    /// A request that is not a read is about to be sent.
    pub fn write(&self, kind: &str, verb: &str) {
        self.writes.with_label_values(&[kind, verb]).inc();
    }

    /// How many objects failed last time.
    pub fn in_backoff(&self, objects: usize) {
        self.backoff.set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// An API's certificate expires at `not_after`, seconds since 1970.
    // Exact up to the year 285 million.
    #[allow(clippy::cast_precision_loss)]
    pub fn certificate(&self, namespace: &str, name: &str, api: &str, not_after: i64) {
        let gauge = self
            .tls_not_after
            .with_label_values(&[namespace, name, api]);
        gauge.set(not_after as f64);
    }

    /// An API has no certificate any more.
    pub fn no_certificate(&self, namespace: &str, name: &str, api: &str) {
        // An error only says that there was none.
        let _ = self
            .tls_not_after
            .remove_label_values(&[namespace, name, api]);
    }

    /// All families in Prometheus' text format.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
