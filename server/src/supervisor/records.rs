//! The pod's service records: rows of nova's `services`, kept by a task of its own, so that a database that does not
//! answer holds up nothing but the first start.
//!
//! nova wrote a row as each worker started, and never again. Here the supervisor does it, before the first worker: a
//! gate that would refuse every worker is one clear line then. It keeps `last_seen_up` fresh, removes the rows on a
//! clean exit, and sweeps those of pods that could not.

use std::time::Duration;

use kilonova_config::status::DatabaseStatus;
use kilonova_store::{Enrolled, Store, StoreError, Url};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::event::Event;
use crate::SERVICE_VERSION;

/// nova's `report_interval`.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// A row nobody has refreshed for so long is of a pod that is gone.
const STALE: Duration = Duration::from_secs(600);
/// The first and the longest wait between two attempts to reach the database.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How long the end of the pod waits for its rows to go.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);

/// What is to be recorded, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The database.
    pub url: Url,
    /// The most connections of this pod.
    pub connections: u32,
    /// This pod's name in the rows.
    pub host: String,
    /// nova's names of the APIs: `nova-osapi_compute`, `nova-metadata`.
    pub binaries: Vec<String>,
    /// Starts although every other live service is newer.
    pub allow_older: bool,
}

/// What the task tells the supervisor.
#[derive(Debug)]
pub enum News {
    /// The rows are there: workers may start.
    Enrolled,
    /// It cannot be done, whatever time passes: the start ends. Why was said.
    Refused,
    /// The database as it was last seen.
    Seen(DatabaseStatus),
}

/// The way to speak to the task.
#[derive(Debug)]
pub struct Records {
    wanted: watch::Sender<Wanted>,
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Records {
    /// Begins to keep the rows; what becomes of it arrives as [`Event::Database`].
    pub fn keep(wanted: Wanted, events: UnboundedSender<Event>) -> Self {
        let (wanted, changes) = watch::channel(wanted);
        let (leave, leaving) = oneshot::channel();
        let task = tokio::spawn(run(changes, leaving, Voice::new(events)));
        Self {
            wanted,
            leave,
            task,
        }
    }

    /// Keeps something else from now on.
    pub fn change(&self, wanted: &Wanted) {
        self.wanted
            .send_if_modified(|now| std::mem::replace(now, wanted.clone()) != *wanted);
    }

    /// Removes the rows, if the database can be reached.
    pub async fn leave(self) {
        let _ = self.leave.send(());
        let _ = timeout(LEAVE_PATIENCE, self.task).await;
    }
}

async fn run(
    mut changes: watch::Receiver<Wanted>,
    mut leaving: oneshot::Receiver<()>,
    mut voice: Voice,
) {
    loop {
        let wanted = changes.borrow_and_update().clone();
        let store = Store::open(&wanted.url, wanted.connections)
            .inspect_err(|error| voice.failed(error))
            .ok();
        tokio::select! {
            () = keep(store.as_ref(), &wanted, &mut voice) => {}
            change = changes.changed() => {
                if change.is_err() {
                    return;
                }
                // Its rows stay behind in the old database, where the sweep of another pod finds them.
                if let Some(store) = store {
                    store.close().await;
                }
            }
            _ = &mut leaving => {
                if let Some(store) = store {
                    remove(&store, &wanted).await;
                }
                return;
            }
        }
    }
}

/// Enrolls, and refreshes for ever.
async fn keep(store: Option<&Store>, wanted: &Wanted, voice: &mut Voice) {
    let Some(store) = store else {
        return std::future::pending().await;
    };
    let mut wait = WAITS.0;
    loop {
        match enroll(store, wanted).await {
            Ok(schema) => voice.enrolled(schema),
            Err(error) => {
                voice.failed(&error);
                sleep(wait).await;
                wait = (wait * 2).min(WAITS.1);
                continue;
            }
        }
        wait = WAITS.0;
        while let Ok(true) = refresh(store, wanted, voice).await {
            sleep(REPORT_INTERVAL).await;
        }
        // The database is away, or a row is gone: begin again.
        sleep(wait).await;
    }
}

/// Makes the tables, forgets the dead, and puts a row for each API; returns the version of the schema.
async fn enroll(store: &Store, wanted: &Wanted) -> Result<u32, StoreError> {
    let version = store.sync().await?.to;
    let services = store.services();
    let binaries: Vec<_> = wanted.binaries.iter().map(String::as_str).collect();
    let swept = services.sweep(&binaries, STALE).await?;
    if swept > 0 {
        tracing::info!("Removed {swept} service records of pods that are gone");
    }
    for binary in binaries {
        let (host, allow_older) = (&wanted.host, wanted.allow_older);
        let enrolled = services.enroll(host, binary, SERVICE_VERSION, allow_older);
        if let Enrolled::Updated { from } = enrolled.await? {
            tracing::info!(
                "Updating service version for {binary} on {host} from {from} to {SERVICE_VERSION}"
            );
        }
    }
    Ok(version)
}

/// False when a row is gone.
async fn refresh(store: &Store, wanted: &Wanted, voice: &mut Voice) -> Result<bool, StoreError> {
    for binary in &wanted.binaries {
        match store.services().seen(&wanted.host, binary).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(
                    "The services table record for the {binary} service on host {} is gone, putting it back",
                    wanted.host
                );
                return Ok(false);
            }
            Err(error) => {
                voice.failed(&error);
                return Err(error);
            }
        }
    }
    Ok(true)
}

async fn remove(store: &Store, wanted: &Wanted) {
    for binary in &wanted.binaries {
        if let Err(error) = store.services().remove(&wanted.host, binary).await {
            tracing::warn!("Could not remove the service record of {binary}: {error}");
        }
    }
    store.close().await;
}

/// Says what is new, once.
struct Voice {
    events: UnboundedSender<Event>,
    seen: DatabaseStatus,
    enrolled: bool,
}

impl Voice {
    fn new(events: UnboundedSender<Event>) -> Self {
        Self {
            events,
            seen: DatabaseStatus {
                reachable: false,
                error: None,
                schema: None,
            },
            enrolled: false,
        }
    }

    fn enrolled(&mut self, schema: u32) {
        if self.seen.error.is_some() {
            tracing::info!("Recovered from being unable to report status.");
        }
        self.enrolled = true;
        self.say(DatabaseStatus {
            reachable: true,
            error: None,
            schema: Some(schema),
        });
        let _ = self.events.send(Event::Database(News::Enrolled));
    }

    /// A server that has been enrolled goes on serving whatever happens to its database.
    fn failed(&mut self, error: &StoreError) {
        let text = error.to_string();
        if self.seen.error.as_ref() != Some(&text) {
            tracing::error!("Lost connection to the database for reporting service status: {text}");
        }
        self.say(DatabaseStatus {
            reachable: !error.unreachable(),
            error: Some(text),
            schema: self.seen.schema,
        });
        if !error.unreachable() && !self.enrolled {
            let _ = self.events.send(Event::Database(News::Refused));
        }
    }

    fn say(&mut self, seen: DatabaseStatus) {
        if self.seen != seen {
            self.seen = seen.clone();
            let _ = self.events.send(Event::Database(News::Seen(seen)));
        }
    }
}
