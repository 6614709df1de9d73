//! Load as a worker makes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kilonova_probe::wait_within;
use kilonova_store::{Services, Store, StoreError, Url};

const API: &str = "nova-osapi_compute";
pub const TASKS: usize = 8;

/// What a task has met.
#[derive(Default)]
pub struct Tally {
    pub done: AtomicU64,
    pub unreachable: AtomicU64,
}

/// Tasks that record that they live as fast as they can, until they are told to end: on one thread and with one store,
/// as a worker has. They end with the first error that does not say "try again".
pub struct Load {
    ended: Arc<AtomicBool>,
    tallies: Vec<Arc<Tally>>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Load {
    pub fn start(url: &Url, connections: u32) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let tallies: Vec<Arc<Tally>> = (0..TASKS).map(|_| Arc::default()).collect();
        let (url, told, counted) = (url.clone(), Arc::clone(&ended), tallies.clone());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let store = Store::open(&url, connections).unwrap();
                let tasks: Vec<_> = counted
                    .into_iter()
                    .enumerate()
                    .map(|(number, tally)| {
                        let host = format!("pod-{number}");
                        tokio::spawn(live(store.services(), host, tally, Arc::clone(&told)))
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap()?;
                }
                store.close().await;
                Ok(())
            })
        });
        Self {
            ended,
            tallies,
            thread,
        }
    }

    /// Waits until each task has done something more. A store that does not come back would make it fail.
    pub fn wait_done(&self, what: &str) {
        let before = self.counts(|tally| &tally.done);
        self.wait_more(what, |tally| &tally.done, &before);
    }

    /// Waits until each task has met an error more than before.
    pub fn wait_noticed(&self, before: &[u64]) {
        self.wait_more("every task to notice", |tally| &tally.unreachable, before);
    }

    fn wait_more(&self, what: &str, which: impl Fn(&Tally) -> &AtomicU64, before: &[u64]) {
        wait_within(Duration::from_secs(60), what, || {
            let more = before.iter().zip(self.counts(&which));
            // One that ended by itself has failed, and says how at the end.
            (self.thread.is_finished() || more.into_iter().all(|(before, now)| now > *before))
                .then_some(())
        });
    }

    pub fn counts(&self, which: impl Fn(&Tally) -> &AtomicU64) -> Vec<u64> {
        let count = |tally: &Arc<Tally>| which(tally).load(SeqCst);
        self.tallies.iter().map(count).collect()
    }

    pub fn end(self) {
        self.ended.store(true, SeqCst);
        self.thread.join().unwrap().unwrap();
    }
}

async fn live(
    services: Services,
    host: String,
    tally: Arc<Tally>,
    told: Arc<AtomicBool>,
) -> Result<(), StoreError> {
    while !told.load(SeqCst) {
        let seen = match services.enroll(&host, API, 73, false).await {
            Ok(_) => services.seen(&host, API).await.map(|seen| assert!(seen)),
            Err(error) => Err(error),
        };
        match seen {
            Ok(()) => tally.done.fetch_add(1, SeqCst),
            Err(error) if error.unreachable() => tally.unreachable.fetch_add(1, SeqCst),
            Err(error) => return Err(error),
        };
    }
    Ok(())
}
