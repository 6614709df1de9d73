//! PostgreSQL as Debian packages it.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use super::{PASSWORD, Program, USER, words};

/// Who is let in: the administrator through the socket, and whoever reaches it with a password.
pub(super) const HBA: &str = "local all all trust\nhost all all 0.0.0.0/0 md5\n";

pub(super) fn program(directory: &Path, address: SocketAddrV4) -> Program {
    let (at, ip, port) = (directory.display(), address.ip(), address.port());
    let programs = programs();
    let initdb = programs.join("initdb");
    let postgres = programs.join("postgres");
    let psql = programs.join("psql");
    Program {
        initialise: words(&format!(
            "{} -D {at}/data -U postgres --auth-local=trust --auth-host=md5 --pwfile={at}/password --encoding=UTF8 --locale=C --no-sync",
            initdb.display()
        )),
        serve: words(&format!(
            "{} -D {at}/data -p {port} -c listen_addresses={ip} -c hba_file={at}/hba -c unix_socket_directories={at} -c fsync=off -c max_connections=200 -c ssl=on -c ssl_cert_file={at}/server.pem -c ssl_key_file={at}/server.key",
            postgres.display()
        )),
        stop: "INT",
        // Not KILL: its shared memory would be left behind.
        end: "QUIT",
        client: words(&format!(
            "{} -X -q -A -t -h {at} -p {port} -U postgres -v ON_ERROR_STOP=1 -F",
            psql.display()
        ))
        .into_iter()
        .chain(["\t".to_owned()])
        .collect(),
        // SCRAM takes a tenth of a second for each connection in a build that is not optimised. A role made without this
        // setting uses it all the same.
        user: format!(
            "SET password_encryption = 'md5'; CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'"
        ),
    }
}

/// Debian keeps each version's programs in a directory of its own, off the search path: the newest.
fn programs() -> PathBuf {
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let versions = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: e2e/packages postgresql");
    let newest = versions
        .map(|entry| entry.unwrap().path())
        .max_by_key(version);
    newest.unwrap().join("bin")
}
