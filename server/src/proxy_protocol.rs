//! The PROXY header: whom a connection comes from, as a load balancer says before anything else (`HAProxy`'s
//! `proxy-protocol.txt`, versions 1 and 2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 1: the longest line, its end counted.
const LINE: usize = 107;
/// Version 2: addresses and extensions; what they hold beyond that serves nobody here.
const LENGTH: usize = 2048;

/// What bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// So many bytes more are part of it for sure.
    Needs(usize),
    /// It is complete. The address is the client's; none if the load balancer speaks for itself or does not know.
    Complete(Option<SocketAddr>),
}

/// Why bytes are no PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(&'static str);

/// Reads what has come so far. Of version 1 nobody knows the length before its end: then 1 byte is needed at least.
pub fn read(bytes: &[u8]) -> Result<Header, Malformed> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] == SIGNATURE[..known] {
        return match SIGNATURE.len() - known {
            0 => version_2(bytes),
            // The shortest line is longer than this.
            more => Ok(Header::Needs(more)),
        };
    }
    let known = bytes.len().min(6);
    if bytes[..known] == b"PROXY "[..known] {
        return version_1(bytes);
    }
    Err(Malformed("no PROXY header"))
}

fn version_1(bytes: &[u8]) -> Result<Header, Malformed> {
    const BAD: Malformed = Malformed("a PROXY line that is none");
    let Some(line) = bytes.strip_suffix(b"\n") else {
        return if bytes.len() >= LINE || bytes.contains(&b'\n') {
            Err(Malformed("a PROXY line too long"))
        } else {
            Ok(Header::Needs(1))
        };
    };
    let line = line.strip_suffix(b"\r").ok_or(BAD)?;
    let line = std::str::from_utf8(line).map_err(|_| BAD)?;
    let mut words = line.split(' ').skip(1);
    let (Some(family), source, destination) = (words.next(), words.next(), words.next()) else {
        return Err(BAD);
    };
    if family == "UNKNOWN" {
        return Ok(Header::Complete(None));
    }
    let (Some(port), Some(to), None) = (words.next(), words.next(), words.next()) else {
        return Err(BAD);
    };
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits).ok_or(BAD)
    };
    let (port, _) = (number(port)?, number(to)?);
    let address = |text: Option<&str>| -> Result<IpAddr, Malformed> {
        let address: IpAddr = text.and_then(|text| text.parse().ok()).ok_or(BAD)?;
        let fits =
            (family == "TCP4" && address.is_ipv4()) || (family == "TCP6" && address.is_ipv6());
        fits.then_some(address).ok_or(BAD)
    };
    let (source, _) = (address(source)?, address(destination)?);
    Ok(Header::Complete(Some(SocketAddr::new(source, port))))
}

fn version_2(bytes: &[u8]) -> Result<Header, Malformed> {
    let Some((start, rest)) = bytes.split_at_checked(16) else {
        return Ok(Header::Needs(16 - bytes.len()));
    };
    let length = usize::from(u16::from_be_bytes([start[14], start[15]]));
    if length > LENGTH {
        return Err(Malformed("a PROXY header too long"));
    }
    let local = match start[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed("a PROXY header of an unknown version or command")),
    };
    if rest.len() < length {
        return Ok(Header::Needs(length - rest.len()));
    }
    let short = Malformed("a PROXY header without its addresses");
    let client = match start[13] {
        _ if local => None,
        0x11 => Some(source::<4>(rest, length).ok_or(short)?),
        0x21 => Some(source::<16>(rest, length).ok_or(short)?),
        // UNSPEC, datagrams and UNIX sockets: nobody we could name.
        _ => None,
    };
    Ok(Header::Complete(client))
}

fn source<const SIZE: usize>(rest: &[u8], length: usize) -> Option<SocketAddr>
where
    [u8; SIZE]: Address,
{
    let addresses = rest
        .get(..2 * SIZE + 4)
        .filter(|_| length >= 2 * SIZE + 4)?;
    let address = <[u8; SIZE]>::try_from(&addresses[..SIZE]).ok()?;
    let port = u16::from_be_bytes([addresses[2 * SIZE], addresses[2 * SIZE + 1]]);
    Some(SocketAddr::new(address.ip(), port))
}

trait Address {
    fn ip(self) -> IpAddr;
}

impl Address for [u8; 4] {
    fn ip(self) -> IpAddr {
        Ipv4Addr::from(self).into()
    }
}

impl Address for [u8; 16] {
    fn ip(self) -> IpAddr {
        Ipv6Addr::from(self).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Everything is needed, byte by byte, until it is complete.
    fn of(bytes: &[u8]) -> Result<Option<SocketAddr>, String> {
        for end in 0..bytes.len() {
            match read(&bytes[..end]) {
                Ok(Header::Needs(more)) => assert!(end + more <= bytes.len()),
                Ok(Header::Complete(_)) => panic!("complete after {end} bytes"),
                Err(error) => return Err(error.to_string()),
            }
        }
        match read(bytes) {
            Ok(Header::Complete(client)) => Ok(client),
            Ok(Header::Needs(more)) => Err(format!("needs {more}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[rstest]
    #[case("PROXY TCP4 192.0.2.1 10.0.0.1 4711 8774\r\n", Some("192.0.2.1:4711"))]
    #[case("PROXY TCP6 2001:db8::1 ::1 4711 8774\r\n", Some("[2001:db8::1]:4711"))]
    #[case("PROXY UNKNOWN\r\n", None)]
    #[case("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None)]
    fn lines_are_understood(#[case] line: &str, #[case] client: Option<&str>) {
        assert_eq!(
            of(line.as_bytes()),
            Ok(client.map(|it| it.parse().unwrap()))
        );
    }

    #[rstest]
    #[case("GET / HTTP/1.1\r\n", "no PROXY header")]
    #[case(
        "PROXY TCP4 192.0.2.1 10.0.0.1 4711 8774\n",
        "a PROXY line that is none"
    )]
    #[case(
        "PROXY TCP4 2001:db8::1 ::1 4711 8774\r\n",
        "a PROXY line that is none"
    )]
    #[case(
        "PROXY TCP4 192.0.2.1 10.0.0.1 +471 8774\r\n",
        "a PROXY line that is none"
    )]
    #[case(
        "PROXY TCP4 192.0.2.1 10.0.0.1 4711 65536\r\n",
        "a PROXY line that is none"
    )]
    #[case("PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n", "a PROXY line that is none")]
    #[case("PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n", "a PROXY line that is none")]
    #[case("PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n", "a PROXY line that is none")]
    fn other_lines_are_refused(#[case] line: &str, #[case] error: &str) {
        assert_eq!(of(line.as_bytes()), Err(error.to_owned()));
    }

    #[test]
    fn a_line_ends_somewhere() {
        let line = format!("PROXY UNKNOWN {}", "x".repeat(200));
        assert_eq!(of(line.as_bytes()), Err("a PROXY line too long".to_owned()));
    }

    fn binary(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, payload].concat()
    }

    const V4: &[u8] = &[192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 0x22, 0x46];
    const V6: &[u8] = &[
        0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 1, 0x12, 0x67, 0x22, 0x46,
    ];

    #[rstest]
    #[case::v4(0x21, 0x11, V4, Some("192.0.2.1:4711"))]
    #[case::v6(0x21, 0x21, V6, Some("[2001:db8::1]:4711"))]
    #[case::with_extensions(0x21, 0x11, &[V4, &[4, 0, 1, 0]].concat(), Some("192.0.2.1:4711"))]
    #[case::local(0x20, 0x11, V4, None)]
    #[case::local_and_bare(0x20, 0, &[], None)]
    #[case::unspecified(0x21, 0, &[1, 2, 3], None)]
    #[case::unix(0x21, 0x31, &[0; 216], None)]
    fn binary_headers_are_understood(
        #[case] command: u8,
        #[case] family: u8,
        #[case] payload: &[u8],
        #[case] client: Option<&str>,
    ) {
        let header = binary(command, family, payload);
        assert_eq!(of(&header), Ok(client.map(|it| it.parse().unwrap())));
    }

    #[rstest]
    #[case::version(0x11, 0x11, V4, "a PROXY header of an unknown version or command")]
    #[case::command(0x22, 0x11, V4, "a PROXY header of an unknown version or command")]
    #[case::short(0x21, 0x21, V4, "a PROXY header without its addresses")]
    #[case::long(0x21, 0x11, &[0; 2049], "a PROXY header too long")]
    fn other_headers_are_refused(
        #[case] command: u8,
        #[case] family: u8,
        #[case] payload: &[u8],
        #[case] error: &str,
    ) {
        assert_eq!(of(&binary(command, family, payload)), Err(error.to_owned()));
    }
}
