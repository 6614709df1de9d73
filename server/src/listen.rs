//! Listening sockets: bound early, so that a taken port ends the start, and opened late, so that nobody connects
//! into a hang.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Bytes the system takes from us before they are on their way: what a client that does not read costs the system, and
/// how many pipelined requests of its are answered in vain. The window, and with it the pace of an answer, is not ours.
const UNSENT: u32 = 16_384;

/// Binds an address. `::` takes IPv4 clients too. What is set here, accepted connections inherit.
pub fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    // When to begin asking, a worker sets: `tcpKeepIdleSeconds` may change.
    socket.set_keepalive(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The address a socket is really bound to: port 0 became a number.
pub fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    SockRef::from(socket)
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("not an IP socket"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    #[test]
    fn a_bound_socket_refuses_until_it_listens() {
        let socket = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = local_address(&socket).unwrap();
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        socket.listen(1).unwrap();
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn a_taken_port_is_refused() {
        let first = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        first.listen(1).unwrap();
        let error = bind(local_address(&first).unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_unspecified_ipv6_address_takes_both_families() {
        let socket = bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        socket.listen(1).unwrap();
        let port = local_address(&socket).unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
