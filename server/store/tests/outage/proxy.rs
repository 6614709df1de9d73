//! A network between a store and its database that can lose connections without telling anybody.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

pub struct Proxy {
    pub port: u16,
    generation: Arc<AtomicU64>,
}

impl Proxy {
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let generation = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&generation);
        // Ends with the test program.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).unwrap();
                carry(&client, &server, &now);
                carry(&server, &client, &now);
            }
        });
        Self { port, generation }
    }

    /// From now on nothing gets through on the connections there are; new ones work.
    pub fn forget(&self) {
        self.generation.fetch_add(1, SeqCst);
    }
}

fn carry(from: &TcpStream, to: &TcpStream, now: &Arc<AtomicU64>) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let (now, born) = (Arc::clone(now), now.load(SeqCst));
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if now.load(SeqCst) == born && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        if now.load(SeqCst) == born {
            let _ = to.shutdown(std::net::Shutdown::Both);
        }
    });
}
