//! How clients ask.

use std::io;
use std::thread::park_timeout;
use std::time::Duration;

use kilonova_probe::{Answer, Connection};

use crate::wire::Wire;

/// How a client goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Keeps its connection, and asks again at once.
    Busy,
    /// Keeps its connection, and leaves it quiet for longer than a worker that finishes waits.
    Idle,
    /// A connection for each request.
    New,
    /// Keeps its connection; the body of each request takes [`SLOW`].
    SlowBody,
    /// Keeps its connection; the head of each request takes [`SLOW`].
    SlowHead,
}

/// How long a slow request takes.
pub const SLOW: Duration = Duration::from_secs(2);
/// In how many parts it comes.
const PARTS: u32 = 10;

/// Sixty-four clients: half keep their connections.
pub fn steady() -> Vec<Habit> {
    mix(&[(Habit::Busy, 28), (Habit::Idle, 4), (Habit::New, 32)])
}

/// Sixty-four clients, a quarter of them slow.
pub fn slow() -> Vec<Habit> {
    mix(&[
        (Habit::Busy, 20),
        (Habit::Idle, 4),
        (Habit::New, 24),
        (Habit::SlowBody, 8),
        (Habit::SlowHead, 8),
    ])
}

fn mix(parts: &[(Habit, usize)]) -> Vec<Habit> {
    let parts = parts.iter();
    parts
        .flat_map(|(habit, count)| vec![*habit; *count])
        .collect()
}

/// A request whose answer never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Versions,
    Version,
    /// With a body the app reads before it answers.
    Post,
}

impl Request {
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Versions, Self::Version, Self::Post].into_iter()
    }

    /// Whether a client may send it again without knowing what became of it.
    pub fn repeatable(self) -> bool {
        self != Self::Post
    }

    pub fn text(self, last: bool) -> String {
        let host = if last {
            "Host: nova.test\r\nConnection: close"
        } else {
            "Host: nova.test"
        };
        match self {
            Self::Versions => format!("GET / HTTP/1.1\r\n{host}\r\n\r\n"),
            Self::Version => format!("GET /v2.1/ HTTP/1.1\r\n{host}\r\n\r\n"),
            Self::Post => format!(
                "POST /v2.1/ HTTP/1.1\r\n{host}\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{:<40}",
                "{\"name\": \"nova\"}"
            ),
        }
    }
}

impl Habit {
    pub fn keeps(self) -> bool {
        self != Self::New
    }

    pub fn pause(self) -> Duration {
        match self {
            Self::Idle => Duration::from_millis(1500),
            _ => Duration::ZERO,
        }
    }

    /// Which of the requests is its next.
    pub fn choose(self, asked: usize, requests: &[(Request, Vec<u8>)]) -> usize {
        let wanted = match self {
            Self::SlowBody => Request::Post,
            Self::SlowHead | Self::Idle => Request::Version,
            Self::Busy | Self::New => return asked % requests.len(),
        };
        let found = requests.iter().position(|(request, _)| *request == wanted);
        found.unwrap_or_default()
    }

    /// Asks on a connection, and reads the answer.
    pub fn exchange(
        self,
        connection: &mut Connection<Wire>,
        request: Request,
    ) -> io::Result<Answer> {
        // Of the clients that come once, every second one says so.
        let last = self == Self::New && connection.stream().port % 4 < 2;
        let text = request.text(last);
        match self {
            Self::Busy | Self::Idle | Self::New => connection.send(&text)?,
            Self::SlowBody => trickle(connection, &text, text.len() - 40)?,
            Self::SlowHead => trickle(connection, &text, 1)?,
        }
        connection.answer()
    }
}

/// Sends a text up to a place, and the rest little by little.
fn trickle(connection: &mut Connection<Wire>, text: &str, from: usize) -> io::Result<()> {
    let (first, rest) = text.split_at(from);
    connection.send(first)?;
    let rest = rest.as_bytes().chunks(rest.len().div_ceil(PARTS as usize));
    for part in rest {
        park_timeout(SLOW / PARTS);
        connection.send(&String::from_utf8_lossy(part))?;
    }
    Ok(())
}
