//! Lines on their way to standard output: bounded, in order, and never waited for.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{FileType, fstat};

use super::clock::Clock;
use super::line::Line;

/// Bytes that may wait; a line that finds more of them is dropped.
const MOST: usize = 4 << 20;
/// How long the thread gathers lines before it writes them: one wake and one write for many.
const GATHER: Duration = Duration::from_millis(5);
/// A pipe takes so many bytes whole (`PIPE_BUF`): the lines of several processes never mix.
const PIPE: usize = 4096;
/// A file that is appended to takes any number whole.
const FILE: usize = 64 << 10;
/// How long the end of the process waits for whoever reads.
const FAREWELL: Duration = Duration::from_secs(1);
/// Room for lines that is kept for the next ones.
const KEPT: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Sink {
    pending: Mutex<Pending>,
    /// There is something to write, or the end has come.
    wake: Condvar,
    /// Everything is written.
    written: Condvar,
    dropped: AtomicU64,
}

// Each is a thing of its own: one enum of all their combinations would say less.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    clock: Clock,
    started: bool,
    /// The thread sleeps until somebody wakes it.
    asleep: bool,
    writing: bool,
    finishing: bool,
    /// Dropped lines that have been said.
    said: u64,
}

impl Sink {
    /// Starts the thread that writes; once.
    pub(super) fn start(&'static self, whole: usize, output: impl Write + Send + 'static) {
        let mut pending = self.pending();
        if std::mem::replace(&mut pending.started, true) {
            return;
        }
        let run = move || self.run(whole, output);
        if let Err(error) = thread::Builder::new().name("log".to_owned()).spawn(run) {
            let _ = writeln!(io::stderr(), "cannot start the log: {error}");
        }
    }

    /// Adds a line that `render` appends, with its end.
    pub(super) fn write(&self, render: impl FnOnce(&mut Vec<u8>, &Clock)) {
        let mut pending = self.pending();
        if pending.lines.len() >= MOST {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        let Pending { lines, clock, .. } = &mut *pending;
        clock.tick();
        render(lines, clock);
        let asleep = std::mem::take(&mut pending.asleep);
        drop(pending);
        if asleep {
            self.wake.notify_one();
        }
    }

    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Waits until everything is written, but not for long.
    pub(super) fn finish(&self) {
        let mut pending = self.pending();
        pending.finishing = true;
        self.wake.notify_one();
        let unwritten = |pending: &mut Pending| pending.writing || !pending.lines.is_empty();
        let _ = self
            .written
            .wait_timeout_while(pending, FAREWELL, unwritten);
        self.pending().finishing = false;
    }

    fn run(&self, whole: usize, mut output: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut pending = self.pending();
            pending.writing = false;
            self.say_dropped(&mut pending);
            if pending.lines.is_empty() {
                self.written.notify_all();
                pending.asleep = true;
                pending = self
                    .wake
                    .wait_while(pending, |pending| pending.lines.is_empty())
                    .unwrap_or_else(PoisonError::into_inner);
                if !pending.finishing {
                    pending = self
                        .wake
                        .wait_timeout_while(pending, GATHER, |pending| !pending.finishing)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
            }
            std::mem::swap(&mut batch, &mut pending.lines);
            pending.writing = true;
            drop(pending);
            self.put(&batch, whole, &mut output);
            batch.clear();
            batch.shrink_to(KEPT);
        }
    }

    fn put(&self, mut lines: &[u8], whole: usize, output: &mut impl Write) {
        while !lines.is_empty() {
            let (piece, rest) = lines.split_at(whole_lines(lines, whole));
            let put = output.write_all(piece).and_then(|()| output.flush());
            if put.is_err() {
                let lost = piece.split(|byte| *byte == b'\n').count() - 1;
                self.dropped.fetch_add(lost as u64, Relaxed);
            }
            lines = rest;
        }
    }

    /// As soon as somebody reads again.
    fn say_dropped(&self, pending: &mut Pending) {
        let dropped = self.dropped();
        let lost = dropped - pending.said;
        if lost > 0 && pending.lines.len() < MOST {
            pending.said = dropped;
            let line = Line {
                level: "WARNING",
                logger: "kilonova_server.log",
                request_id: None,
            };
            let Pending { lines, clock, .. } = pending;
            clock.tick();
            line.oslo(lines, clock);
            let _ = writeln!(
                lines,
                "{lost} lines of the log were dropped: nobody read them in time"
            );
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes an output takes whole.
pub(super) fn whole(output: &impl AsFd) -> usize {
    let file = fstat(output).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    if file { FILE } else { PIPE }
}

/// How many bytes are whole lines and written whole, of at most `most`; a longer line stands alone.
fn whole_lines(lines: &[u8], most: usize) -> usize {
    let end = |byte: &u8| *byte == b'\n';
    let fits = &lines[..lines.len().min(most)];
    fits.iter()
        .rposition(end)
        .or_else(|| lines.iter().position(end))
        .map_or(lines.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::sync::Arc;

    #[rstest]
    #[case(b"one\ntwo\n", 8)]
    #[case(b"one\ntw", 4)]
    #[case(b"one", 3)]
    fn lines_are_written_whole(#[case] lines: &[u8], #[case] whole: usize) {
        assert_eq!(whole_lines(lines, PIPE), whole);
    }

    #[test]
    fn a_pipe_takes_what_it_takes_whole() {
        let lines = [vec![b'x'; 3000], b"\n".to_vec()].concat().repeat(2);
        assert_eq!(whole_lines(&lines, PIPE), 3001);
        assert_eq!(whole_lines(&lines, FILE), 6002);
        let long = [vec![b'x'; 5000], b"\nrest\n".to_vec()].concat();
        assert_eq!(whole_lines(&long, PIPE), 5001);
    }

    /// Takes nothing until it may.
    struct Slow(Arc<(Mutex<bool>, Condvar)>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let open = self.0.0.lock().unwrap();
            drop(self.0.1.wait_while(open, |open| !*open).unwrap());
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_nobody_reads_is_dropped_counted_and_said() {
        let sink: &'static Sink = Box::leak(Box::default());
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        sink.start(PIPE, Slow(Arc::clone(&gate), Arc::clone(&seen)));
        let line = |number: usize| {
            let text = format!("{number:08} {}\n", "x".repeat(1015));
            sink.write(|out, _| out.extend_from_slice(text.as_bytes()));
        };
        // At most twice the room: what the thread holds, and what waits.
        let written = 2 * MOST / 1024 + 1000;
        (0..written).for_each(line);
        let dropped = sink.dropped();
        assert!(dropped >= 900, "{dropped}");
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        sink.finish();
        line(usize::try_from(dropped).unwrap());
        sink.finish();
        let seen = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
        assert_eq!(seen.matches("lines of the log were dropped").count(), 1);
        assert!(
            seen.contains(&format!(" {dropped} lines of the log"))
                || seen.contains(&format!("] {dropped} lines"))
        );
        let numbers: Vec<&str> = seen
            .lines()
            .filter(|line| line.ends_with('x'))
            .map(|line| &line[..8])
            .collect();
        assert_eq!(numbers.len() as u64, written as u64 - dropped + 1);
        let ordered = &numbers[..numbers.len() - 1];
        assert!(ordered.is_sorted(), "in order");
    }
}
