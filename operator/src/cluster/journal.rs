//! Publishing Events.
//!
//! kube's `Recorder` counts Events of one reason about one object as a series, and a series keeps the note it began
//! with: a second Secret that is missing would be told with the name of the first. So each note has a recorder of its
//! own, for as long as a series lasts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};

use crate::names::OPERATOR;

/// How long the same Event counts as the same series, as with kube's recorder.
const SERIES: Duration = Duration::from_secs(360);

/// Publishes Events.
#[derive(Clone)]
pub(super) struct Journal {
    client: Client,
    reporter: Reporter,
    series: Arc<Mutex<HashMap<Entry, (Recorder, Instant)>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    uid: Option<String>,
    reason: String,
    note: Option<String>,
}

impl Journal {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            reporter: Reporter {
                controller: OPERATOR.to_owned(),
                instance: std::env::var("POD_NAME").ok(),
            },
            series: Arc::default(),
        }
    }

    /// Publishes an Event about `regarding`.
    pub async fn publish(
        &self,
        event: &Event,
        regarding: &ObjectReference,
    ) -> Result<(), kube::Error> {
        let entry = Entry {
            uid: regarding.uid.clone(),
            reason: event.reason.clone(),
            note: event.note.clone(),
        };
        self.recorder(entry).publish(event, regarding).await
    }

    fn recorder(&self, entry: Entry) -> Recorder {
        let now = Instant::now();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.retain(|_, (_, last)| now.duration_since(*last) < SERIES);
        let new = || {
            (
                Recorder::new(self.client.clone(), self.reporter.clone()),
                now,
            )
        };
        let (recorder, last) = series.entry(entry).or_insert_with(new);
        *last = now;
        recorder.clone()
    }
}
