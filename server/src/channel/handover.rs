//! What is said on the channel for connections: connections one way, running totals the other way.

use std::net::{IpAddr, SocketAddr};

/// A connection for a worker; its socket travels with the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The how-manieth connection this worker is given, from 1.
    pub number: u64,
    /// Who connected.
    pub peer: SocketAddr,
}

/// What a worker has done so far. Totals, not differences: a report that is lost is made good by the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The last connection it took charge of; the supervisor may let go of it and of all before it.
    pub acknowledged: u64,
    /// Connections it has closed.
    pub closed: u64,
    /// Requests it has begun and not finished.
    pub in_flight: u64,
}

/// Asks the worker to close the kept connection that has been idle for the longest: another one waits for its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed {
    /// The connections it has closed as far as we know: if there are more by now, there is room already.
    pub closed: u64,
}

const SHED_SIZE: usize = 8;
const HANDOVER_SIZE: usize = 26;
const REPORT_SIZE: usize = 24;

impl Handover {
    /// The message.
    pub fn encode(&self) -> [u8; HANDOVER_SIZE] {
        let address = match self.peer.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mut message = [0; HANDOVER_SIZE];
        message[..8].copy_from_slice(&self.number.to_be_bytes());
        message[8..24].copy_from_slice(&address.octets());
        message[24..].copy_from_slice(&self.peer.port().to_be_bytes());
        message
    }

    /// Understands a message; `None` when it is not one. IPv4 clients of an IPv6 socket get their IPv4 address back.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let message: &[u8; HANDOVER_SIZE] = message.try_into().ok()?;
        let address: [u8; 16] = message[8..24].try_into().ok()?;
        let ip = IpAddr::from(address).to_canonical();
        Some(Self {
            number: word(message, 0)?,
            peer: SocketAddr::new(ip, u16::from_be_bytes([message[24], message[25]])),
        })
    }
}

impl Shed {
    /// The message.
    pub fn encode(&self) -> [u8; SHED_SIZE] {
        self.closed.to_be_bytes()
    }

    /// Understands a message; `None` when it is not one.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let message: [u8; SHED_SIZE] = message.try_into().ok()?;
        let closed = u64::from_be_bytes(message);
        Some(Self { closed })
    }
}

impl Report {
    /// The message.
    pub fn encode(&self) -> [u8; REPORT_SIZE] {
        let mut message = [0; REPORT_SIZE];
        message[..8].copy_from_slice(&self.acknowledged.to_be_bytes());
        message[8..16].copy_from_slice(&self.closed.to_be_bytes());
        message[16..].copy_from_slice(&self.in_flight.to_be_bytes());
        message
    }

    /// Understands a message; `None` when it is not one.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let message: &[u8; REPORT_SIZE] = message.try_into().ok()?;
        Some(Self {
            acknowledged: word(message, 0)?,
            closed: word(message, 1)?,
            in_flight: word(message, 2)?,
        })
    }
}

fn word(message: &[u8], index: usize) -> Option<u64> {
    let bytes = message.get(index * 8..index * 8 + 8)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.1.2.3:8080", "10.1.2.3:8080")]
    #[case("[2001:db8::1]:443", "[2001:db8::1]:443")]
    #[case("[::ffff:10.1.2.3]:1", "10.1.2.3:1")]
    fn a_peer_arrives_as_it_is(#[case] peer: &str, #[case] expected: &str) {
        let sent = Handover {
            number: 7,
            peer: peer.parse().unwrap(),
        };
        let arrived = Handover::decode(&sent.encode()).unwrap();
        assert_eq!(
            (arrived.number, arrived.peer.to_string().as_str()),
            (7, expected)
        );
    }

    #[test]
    fn a_report_arrives_as_it_is() {
        let report = Report {
            acknowledged: 3,
            closed: 2,
            in_flight: u64::MAX,
        };
        assert_eq!(Report::decode(&report.encode()), Some(report));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(Report::decode(b"short"), None);
        assert_eq!(Handover::decode(&[0; 27]), None);
        let shed = Shed { closed: 7 };
        assert_eq!(Shed::decode(&shed.encode()), Some(shed));
        assert_eq!(Handover::decode(&shed.encode()), None);
    }
}
