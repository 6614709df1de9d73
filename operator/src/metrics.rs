//! What the operator counts. Labels are bounded by the number of `ApiService`s and of kinds.

use prometheus::core::Collector;
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
    errors: IntCounterVec,
    backoff: IntGauge,
    paused: IntGauge,
    writes: IntCounterVec,
    repeats: IntCounterVec,
    requests: IntCounterVec,
    cached: IntGaugeVec,
    leader: IntGauge,
    schema_mismatch: IntGauge,
    tls_not_after: GaugeVec,
}

impl Metrics {
    /// Registers all families.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = gauges(
            &registry,
            "build_info",
            "1, labelled with the release.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            reconciles: counters(
                &registry,
                "reconcile_total",
                "Reconciles by outcome: unchanged, changed or failed.",
                &["outcome"],
            )?,
            duration: duration(&registry)?,
            errors: counters(
                &registry,
                "reconcile_errors_total",
                "Failed reconciles by class of the error. All are tried again.",
                &["class"],
            )?,
            backoff: gauge(
                &registry,
                "objects_in_backoff",
                "ApiServices whose last reconcile failed.",
            )?,
            paused: gauge(&registry, "paused", "ApiServices that are paused.")?,
            writes: counters(
                &registry,
                "writes_total",
                "Requests to the API server that are not reads, Events and status included, Leases aside. Flat while \
                 nothing changes.",
                &["kind", "verb"],
            )?,
            repeats: counters(
                &registry,
                "repeated_writes_total",
                "Writes of what was written before, the same object with the same content more than six times within ten \
                 minutes: a hot loop. The log names the object.",
                &["kind"],
            )?,
            requests: counters(
                &registry,
                "requests_total",
                "Requests to the API server by verb, resource and HTTP status; no answer counts as status 0.",
                &["verb", "resource", "code"],
            )?,
            cached: gauges(
                &registry,
                "cached_objects",
                "Objects known from watches, by kind.",
                &["kind"],
            )?,
            leader: gauge(
                &registry,
                "leader",
                "1 if this replica leads, 0 if it waits.",
            )?,
            schema_mismatch: gauge(
                &registry,
                "crd_schema_mismatch",
                "Fields of this release that the CustomResourceDefinition of the cluster lacks; 0 when it fits.",
            )?,
            tls_not_after: not_after(&registry)?,
            registry,
        })
    }

    /// A reconcile ended.
    pub fn reconciled(&self, outcome: &str, seconds: f64) {
        self.reconciles.with_label_values(&[outcome]).inc();
        self.duration.observe(seconds);
    }

    /// A reconcile failed with an error of this class.
    pub fn failed(&self, class: &str) {
        self.errors.with_label_values(&[class]).inc();
    }

    /// How many objects failed last time.
    pub fn in_backoff(&self, objects: usize) {
        set(&self.backoff, objects);
    }

    /// How many objects are paused.
    pub fn paused(&self, objects: usize) {
        set(&self.paused, objects);
    }

    /// A request that is not a read is about to be sent.
    pub fn write(&self, kind: &str, verb: &str) {
        self.writes.with_label_values(&[kind, verb]).inc();
    }

    /// A write repeats what was written again and again.
    pub fn repeated(&self, kind: &str) {
        self.repeats.with_label_values(&[kind]).inc();
    }

    /// A request was answered with an HTTP status, or not at all.
    pub fn requested(&self, verb: &str, resource: &str, code: Option<u16>) {
        let code = code.unwrap_or(0).to_string();
        self.requests
            .with_label_values(&[verb, resource, &code])
            .inc();
    }

    /// How many objects of a kind are known from its watch.
    pub fn cached(&self, kind: &str, objects: usize) {
        set(&self.cached.with_label_values(&[kind]), objects);
    }

    /// Whether this replica leads.
    pub fn leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// How many fields the cluster's definition lacks.
    pub fn schema_mismatch(&self, fields: usize) {
        set(&self.schema_mismatch, fields);
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

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    registered(registry, IntCounterVec::new(opts(name, help), labels)?)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    registered(registry, IntGaugeVec::new(opts(name, help), labels)?)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    registered(registry, IntGauge::with_opts(opts(name, help))?)
}

fn duration(registry: &Registry) -> Result<Histogram, prometheus::Error> {
    let buckets = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ];
    let name = "kilonova_operator_reconcile_duration_seconds";
    let opts = HistogramOpts::new(name, "How long a reconcile took.").buckets(buckets.to_vec());
    registered(registry, Histogram::with_opts(opts)?)
}

fn not_after(registry: &Registry) -> Result<GaugeVec, prometheus::Error> {
    let opts = Opts::new(
        "kilonova_tls_not_after_timestamp_seconds",
        "When the certificate in an API's Secret expires, in seconds since 1970.",
    );
    registered(
        registry,
        GaugeVec::new(opts, &["namespace", "name", "api"])?,
    )
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("kilonova_operator_{name}"), help)
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    family: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

fn set(gauge: &IntGauge, number: usize) {
    gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
}
