//! Many clients at once, each of which checks every answer and remembers what went wrong.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle, park_timeout};
use std::time::{Duration, Instant};

use kilonova_probe::{Answer, Connection, wait_within};

use crate::habit::{Habit, Request};
use crate::wire::{NoWire, Target, Wire};

/// Something a client did not get.
#[derive(Clone, Debug)]
pub struct Failure {
    pub at: Instant,
    pub habit: Habit,
    /// The client's end of the connection; 0 where there was none.
    pub port: u16,
    pub what: String,
}

/// What all clients have seen.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests whose status and body were right.
    pub answered: u64,
    pub connections: u64,
    /// Requests that began and were not answered, or not as they should be.
    pub lost: Vec<Failure>,
    /// Kept connections that ended before any byte of an answer; the request was repeated on another one, as clients do.
    pub closed: Vec<Failure>,
    /// Connections nobody took. The client goes no further.
    pub refused: Vec<Failure>,
}

pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    target: Target,
    requests: Vec<(Request, Vec<u8>)>,
    stop: AtomicBool,
    answered: Vec<AtomicU64>,
    connections: AtomicU64,
    failures: Mutex<Tally>,
}

struct Client {
    number: usize,
    habit: Habit,
    shared: Arc<Shared>,
    asked: usize,
}

/// How long a client waits between two requests: the machine has other work.
const PAUSE: Duration = Duration::from_millis(10);
/// How long load may take to get where it should.
const LONG: Duration = Duration::from_secs(600);

impl Load {
    /// Starts a client for each habit.
    pub fn start(target: &Target, habits: &[Habit]) -> Self {
        let shared = Arc::new(Shared {
            target: target.clone(),
            requests: Request::all()
                .map(|request| standard(target, request))
                .collect(),
            stop: AtomicBool::new(false),
            answered: habits.iter().map(|_| AtomicU64::new(0)).collect(),
            connections: AtomicU64::new(0),
            failures: Mutex::default(),
        });
        let clients = habits.iter().enumerate().map(|(number, habit)| {
            let client = Client {
                number,
                habit: *habit,
                shared: Arc::clone(&shared),
                asked: number,
            };
            thread::spawn(move || client.run())
        });
        Self {
            clients: clients.collect(),
            shared,
        }
    }

    /// Waits until every client has been answered so many times more.
    pub fn wait_each(&self, more: u64) {
        let count = |client: &AtomicU64| client.load(Relaxed);
        let before: Vec<_> = self.shared.answered.iter().map(count).collect();
        wait_within(LONG, "every client to be answered", || {
            let mut now = self.shared.answered.iter().map(count).zip(&before);
            (self.gave_up() || now.all(|(now, before)| now >= before + more)).then_some(())
        });
    }

    /// Waits until so many requests were answered in all.
    pub fn wait_answered(&self, requests: u64) {
        wait_within(LONG, "requests to be answered", || {
            (self.gave_up() || self.shared.total() >= requests).then_some(())
        });
    }

    /// Has the clients stop, and sums up.
    pub fn stop(self) -> Tally {
        self.shared.stop.store(true, Relaxed);
        self.join()
    }

    /// Waits until all clients have been refused, and sums up.
    pub fn join(self) -> Tally {
        for client in self.clients {
            client.thread().unpark();
            client.join().unwrap();
        }
        let mut tally = std::mem::take(&mut *self.shared.failures.lock().unwrap());
        tally.answered = self.shared.total();
        tally.connections = self.shared.connections.load(Relaxed);
        tally
    }

    /// A client has been refused: what is waited for may never come.
    fn gave_up(&self) -> bool {
        !self.shared.failures.lock().unwrap().refused.is_empty()
    }
}

/// A request and the body it must always be answered with.
fn standard(target: &Target, request: Request) -> (Request, Vec<u8>) {
    let mut connection = target.connect().unwrap();
    connection.send(&request.text(false)).unwrap();
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > 300, "{answer:?}");
    (request, answer.body)
}

impl Shared {
    fn total(&self) -> u64 {
        self.answered
            .iter()
            .map(|client| client.load(Relaxed))
            .sum()
    }
}

impl Client {
    fn run(mut self) {
        let mut kept = None;
        while !self.shared.stop.load(Relaxed) {
            match self.round(kept.take()) {
                Ok(connection) => kept = connection,
                Err(NoWire::Refused(error)) => {
                    let failure = self.failure(0, &error);
                    return self.shared.failures.lock().unwrap().refused.push(failure);
                }
                Err(NoWire::Handshake(port, error)) => self.lost(port, &error),
            }
            park_timeout(self.habit.pause().max(PAUSE));
        }
    }

    /// One request; gives the connection back if it can be kept.
    fn round(
        &mut self,
        kept: Option<Connection<Wire>>,
    ) -> Result<Option<Connection<Wire>>, NoWire> {
        self.asked += 1;
        let shared = Arc::clone(&self.shared);
        let (request, body) = &shared.requests[self.habit.choose(self.asked, &shared.requests)];
        let request = *request;
        if let Some(mut connection) = kept {
            let before = connection.stream().received;
            match self.habit.exchange(&mut connection, request) {
                Err(error)
                    if request.repeatable()
                        && is_end(&error)
                        && connection.stream().received == before =>
                {
                    let failure = self.failure(connection.stream().port, &error);
                    shared.failures.lock().unwrap().closed.push(failure);
                }
                result => return Ok(self.judge(connection, result, body)),
            }
        }
        let mut connection = shared.target.connect()?;
        shared.connections.fetch_add(1, Relaxed);
        let result = self.habit.exchange(&mut connection, request);
        Ok(self.judge(connection, result, body))
    }

    fn judge(
        &self,
        connection: Connection<Wire>,
        result: io::Result<Answer>,
        body: &[u8],
    ) -> Option<Connection<Wire>> {
        let port = connection.stream().port;
        match result {
            Ok(answer) if answer.status == 200 && answer.body == body => {
                self.shared.answered[self.number].fetch_add(1, Relaxed);
                let ends = answer.header("connection") == Some("close");
                (self.habit.keeps() && !ends).then_some(connection)
            }
            Ok(answer) => {
                self.lost(port, &io::Error::other(format!("{answer:?}")));
                None
            }
            Err(error) => {
                self.lost(port, &error);
                None
            }
        }
    }

    fn lost(&self, port: u16, error: &io::Error) {
        let failure = self.failure(port, error);
        self.shared.failures.lock().unwrap().lost.push(failure);
    }

    fn failure(&self, port: u16, error: &io::Error) -> Failure {
        Failure {
            at: Instant::now(),
            habit: self.habit,
            port,
            what: format!("{:?}: {error}", error.kind()),
        }
    }
}

/// All of them, one a line, with the time since a moment.
pub fn list<'a>(since: Instant, failures: impl IntoIterator<Item = &'a Failure>) -> String {
    let line = |failure: &Failure| {
        let (after, before) = (
            failure.at.saturating_duration_since(since),
            since.saturating_duration_since(failure.at),
        );
        let sign = if before.is_zero() { "" } else { "-" };
        format!(
            "{sign}{:?} {:?} from port {}: {}\n",
            after + before,
            failure.habit,
            failure.port,
            failure.what
        )
    };
    failures.into_iter().map(line).collect()
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}
