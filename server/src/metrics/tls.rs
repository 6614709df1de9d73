//! What ends when, and how handshakes go.

use kilonova_config::status::{ApiStatus, TlsStatus};
use prometheus::proto::MetricFamily;

use super::family::{Samples, counter, float, gauge, signed};
use super::{api_label, apis};
use crate::counters::HANDSHAKES;
use crate::handshake::Reason;
use crate::supervisor::View;

/// The families of APIs with TLS, in one list.
pub(super) fn families(view: &View) -> Vec<MetricFamily> {
    let secured =
        || apis(view).filter_map(|(api, counters)| Some((api, api.tls.as_ref()?, counters)));
    let moments = |moment: fn(&TlsStatus) -> Option<i64>| {
        secured()
            .filter_map(|(api, tls, _)| Some((vec![api_label(api)], signed(moment(tls)?))))
            .collect()
    };
    vec![
        gauge(
            "kilonova_tls_not_after_timestamp_seconds",
            "Last second of the served certificate.",
            moments(|tls| Some(tls.not_after)),
        ),
        gauge(
            "kilonova_tls_serial_info",
            "Serial number and SHA-256 fingerprint of the served certificate, as labels.",
            secured()
                .map(|(api, tls, _)| {
                    let serial = ("serial", tls.serial.clone());
                    let fingerprint = ("fingerprint", tls.fingerprint.clone());
                    (vec![api_label(api), serial, fingerprint], 1.0)
                })
                .collect(),
        ),
        gauge(
            "kilonova_tls_client_ca_not_after_timestamp_seconds",
            "Last second of the clients' CA certificate that expires first.",
            moments(|tls| tls.client_auth.as_ref()?.ca_not_after),
        ),
        gauge(
            "kilonova_tls_crl_next_update_timestamp_seconds",
            "When the first revocation list should have been replaced.",
            moments(|tls| tls.client_auth.as_ref()?.crl.as_ref()?.next_update),
        ),
        counter(
            "kilonova_tls_handshakes_total",
            "TLS handshakes that succeeded.",
            secured()
                .flat_map(|(api, _, counters)| {
                    by(api, "kind", HANDSHAKES.into_iter().zip(counters.handshakes))
                })
                .collect(),
        ),
        counter(
            "kilonova_tls_handshake_errors_total",
            "TLS handshakes that failed.",
            secured()
                .flat_map(|(api, _, counters)| {
                    let reasons = Reason::ALL.map(Reason::label).into_iter();
                    by(api, "reason", reasons.zip(counters.handshake_errors))
                })
                .collect(),
        ),
    ]
}

/// One sample for each value of a label.
fn by(
    api: &ApiStatus,
    label: &'static str,
    counts: impl Iterator<Item = (&'static str, u64)>,
) -> Samples {
    counts
        .map(|(value, count)| {
            let value = (label, value.to_owned());
            (vec![api_label(api), value], float(count))
        })
        .collect()
}
