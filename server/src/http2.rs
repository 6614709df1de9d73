//! The frames of an HTTP/2 connection as they come: what floods are made of.
//!
//! h2 parses them and bounds what it keeps of each. What it does not bound is how much work a client makes of nothing: a
//! request it takes back at once (rapid reset), pings, settings, priorities. A client may do each of these, and none of
//! them all day.

const PREFACE: u32 = 24;
const HEADER: usize = 9;

const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// Frames that make work and bring nothing, as many as a client may send at once.
const BURST: u64 = 64;
/// How many more of them each second allows.
const PER_SECOND: u64 = 20;
/// What it counts when a request is taken back in the same breath it was made in: nobody can have waited for its answer.
const SAME_BREATH: u64 = 2;
/// Continuations of one header block: more than the largest head needs in frames of a size anybody chooses.
const CONTINUATIONS: u32 = 64;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Requests taken back, pings, settings and priorities.
    Control,
    /// A header block in ever more pieces.
    Continuation,
}

impl Flood {
    /// What it is, for the log.
    pub fn why(self) -> &'static str {
        match self {
            Self::Control => "a flood of HTTP/2 resets, pings or settings",
            Self::Continuation => "a flood of HTTP/2 continuations",
        }
    }
}

/// What was followed of the bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// From the beginning.
    pub bytes: usize,
    /// Requests among them.
    pub heads: u32,
}

/// Follows the frames of a connection.
#[derive(Debug)]
pub struct Frames {
    /// Bytes of the current payload that are still to come.
    payload: u32,
    header: [u8; HEADER],
    /// Bytes of the current header that have come.
    begun: usize,
    in_block: bool,
    /// No head is complete yet.
    fresh: bool,
    continuations: u32,
    /// The newest stream, now and when the bytes at hand came.
    newest: u32,
    known: u32,
    /// In thousandths of a frame.
    budget: u64,
    refilled: u64,
}

impl Frames {
    /// Before the preface.
    pub fn new() -> Self {
        Self {
            payload: PREFACE,
            header: [0; HEADER],
            begun: 0,
            in_block: false,
            fresh: true,
            continuations: 0,
            newest: 0,
            known: 0,
            budget: BURST * 1000,
            refilled: 0,
        }
    }

    /// Whether the head of a request has begun and is not complete; all before the first one counts as its beginning.
    pub fn in_head(&self) -> bool {
        self.in_block || self.fresh
    }

    /// Follows the next bytes, of so many requests at `most`; `now` in milliseconds since any fixed moment.
    pub fn advance(&mut self, mut bytes: &[u8], now: u64, most: u32) -> Result<Followed, Flood> {
        let length = bytes.len();
        let mut heads = 0;
        self.known = self.newest;
        loop {
            let skipped = bytes.len().min(self.payload as usize);
            bytes = &bytes[skipped..];
            // At most the payload, which fits.
            self.payload -= u32::try_from(skipped).unwrap_or(self.payload);
            if bytes.is_empty() || heads == most {
                let bytes = length - bytes.len();
                return Ok(Followed { bytes, heads });
            }
            let taken = bytes.len().min(HEADER - self.begun);
            self.header[self.begun..self.begun + taken].copy_from_slice(&bytes[..taken]);
            self.begun += taken;
            bytes = &bytes[taken..];
            if self.begun == HEADER {
                self.begun = 0;
                self.frame(now)?;
                heads += u32::from(self.header[3] == HEADERS);
            }
        }
    }

    fn frame(&mut self, now: u64) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, stream @ ..] = self.header;
        let stream = u32::from_be_bytes(stream);
        self.payload = u32::from_be_bytes([0, high, middle, low]);
        match kind {
            HEADERS => {
                self.block(flags);
                self.continuations = 0;
                self.newest = self.newest.max(stream);
                Ok(())
            }
            CONTINUATION => {
                self.block(flags);
                self.continuations += 1;
                if self.continuations > CONTINUATIONS {
                    return Err(Flood::Continuation);
                }
                Ok(())
            }
            SETTINGS | PING if flags & ACK != 0 => Ok(()),
            RST_STREAM if stream > self.known && stream <= self.newest => {
                self.spend(SAME_BREATH, now)
            }
            RST_STREAM | SETTINGS | PING | PRIORITY => self.spend(1, now),
            _ => Ok(()),
        }
    }

    fn block(&mut self, flags: u8) {
        self.in_block = flags & END_HEADERS == 0;
        self.fresh &= self.in_block;
    }

    fn spend(&mut self, frames: u64, now: u64) -> Result<(), Flood> {
        let passed = now.saturating_sub(self.refilled);
        self.refilled = now;
        self.budget = (self.budget + passed.saturating_mul(PER_SECOND)).min(BURST * 1000);
        self.budget = self
            .budget
            .checked_sub(frames * 1000)
            .ok_or(Flood::Control)?;
        Ok(())
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const MOST: u32 = 1000;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER + payload, 0xff);
        frame
    }

    fn started() -> Frames {
        let mut frames = Frames::new();
        frames
            .advance(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, MOST)
            .unwrap();
        frames
    }

    #[rstest]
    #[case::reset(RST_STREAM, 0)]
    #[case::ping(PING, 0)]
    #[case::settings(SETTINGS, 0)]
    #[case::priority(PRIORITY, 0)]
    fn a_burst_is_allowed_and_a_flood_is_not(#[case] kind: u8, #[case] flags: u8) {
        let mut frames = started();
        let frame = frame(kind, flags, 0);
        for _ in 0..BURST {
            frames.advance(&frame, 0, MOST).unwrap();
        }
        assert_eq!(frames.advance(&frame, 0, MOST), Err(Flood::Control));
        for _ in 0..PER_SECOND {
            frames.advance(&frame, 1000, MOST).unwrap();
        }
        assert_eq!(frames.advance(&frame, 1000, MOST), Err(Flood::Control));
    }

    #[rstest]
    #[case::requests(HEADERS, END_HEADERS)]
    #[case::answers_to_our_pings(PING, ACK)]
    #[case::data(0, 0)]
    #[case::windows(8, 0)]
    fn what_requests_are_made_of_is_free(#[case] kind: u8, #[case] flags: u8) {
        let mut frames = started();
        for _ in 0..10 * BURST {
            frames.advance(&frame(kind, flags, 4), 0, MOST).unwrap();
        }
    }

    #[test]
    fn a_head_in_pieces_is_a_head_and_in_many_a_flood() {
        let mut frames = started();
        frames.advance(&frame(HEADERS, 0, 5), 0, MOST).unwrap();
        assert!(frames.in_head());
        for _ in 0..CONTINUATIONS - 1 {
            frames.advance(&frame(CONTINUATION, 0, 0), 0, MOST).unwrap();
        }
        frames
            .advance(&frame(CONTINUATION, END_HEADERS, 0), 0, MOST)
            .unwrap();
        assert!(!frames.in_head());
        assert_eq!(
            frames.advance(&frame(CONTINUATION, 0, 0), 0, MOST),
            Err(Flood::Continuation)
        );
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut frames = started();
        let bytes = [frame(HEADERS, 0, 300), frame(CONTINUATION, END_HEADERS, 7)].concat();
        let mut in_head = 0;
        for byte in bytes {
            assert!(frames.in_head() || in_head > 300);
            frames.advance(&[byte], 0, MOST).unwrap();
            in_head += u32::from(frames.in_head());
        }
        // To the byte before the last of the second header.
        assert_eq!(in_head, 9 + 300 + 8);
        assert!(!frames.in_head());
    }

    #[rstest]
    #[case::at_once(true, BURST / SAME_BREATH)]
    #[case::later(false, BURST)]
    fn what_is_taken_back_at_once_counts_more(#[case] at_once: bool, #[case] most: u64) {
        let mut frames = started();
        let mut taken_back = |stream: u8| {
            let mut pair = [frame(HEADERS, END_HEADERS, 5), frame(RST_STREAM, 0, 4)];
            for frame in &mut pair {
                frame[8] = stream;
            }
            let pair = pair.concat();
            let (request, reset) = pair.split_at(if at_once { pair.len() } else { 14 });
            frames.advance(request, 0, MOST)?;
            frames.advance(reset, 0, MOST)
        };
        let allowed = (1..=u8::MAX).position(|stream| taken_back(stream).is_err());
        assert_eq!(allowed, usize::try_from(most).ok());
    }

    #[test]
    fn no_more_requests_are_followed_than_asked_for() {
        let mut frames = started();
        let request = frame(HEADERS, END_HEADERS, 5);
        let bytes = [request.repeat(3), frame(RST_STREAM, 0, 4)].concat();
        let mut followed = |bytes| frames.advance(bytes, 0, 2).unwrap();
        let (bytes, rest) = bytes.split_at(followed(&bytes).bytes);
        assert_eq!(bytes, request.repeat(2));
        let all = Followed {
            bytes: rest.len(),
            heads: 1,
        };
        assert_eq!(followed(rest), all);
    }
}
