//! Honest clients: two hundred requests a second on kept connections, each of which must be answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, park_timeout, spawn};
use std::time::{Duration, Instant};

use kilonova_probe::Connection;

pub struct Honest {
    took: Arc<Mutex<Vec<Duration>>>,
    done: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Honest {
    pub fn start(address: SocketAddr) -> Self {
        let took = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&took), Arc::clone(&done));
        let thread = spawn(move || {
            let mut connections: Vec<_> =
                (0..4).map(|_| Connection::open(address).unwrap()).collect();
            while !until.load(Relaxed) {
                for connection in &mut connections {
                    let began = Instant::now();
                    assert_eq!(connection.get("/v2.1/").unwrap().status, 200);
                    into.lock().unwrap().push(began.elapsed());
                    park_timeout(Duration::from_millis(5));
                }
            }
        });
        Self { took, done, thread }
    }

    /// How long each request took since the last time.
    pub fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.took.lock().unwrap())
    }

    /// Panics if a request was not answered.
    pub fn finish(self) {
        self.done.store(true, Relaxed);
        self.thread.join().unwrap();
    }
}

pub fn p99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    let place = took.len() * 99 / 100;
    took.get(place).copied().unwrap_or_default()
}
