//! MariaDB as Debian packages it.

use std::net::SocketAddrV4;
use std::path::Path;

use super::{PASSWORD, Program, USER, words};

pub(super) fn program(directory: &Path, address: SocketAddrV4) -> Program {
    let (at, ip, port) = (directory.display(), address.ip(), address.port());
    Program {
        initialise: words(&format!(
            "mariadb-install-db --no-defaults --datadir={at}/data --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve --innodb-flush-log-at-trx-commit=0"
        )),
        serve: words(&format!(
            "/usr/sbin/mariadbd --no-defaults --datadir={at}/data --socket={at}/socket --pid-file={at}/pid --bind-address={ip} --port={port} --skip-name-resolve --max-connections=200 --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M --ssl-cert={at}/server.pem --ssl-key={at}/server.key --ssl-ca={at}/ca.pem"
        )),
        stop: "TERM",
        end: "KILL",
        client: words(&format!(
            "mariadb --no-defaults --batch --skip-column-names --socket={at}/socket --user=root"
        )),
        user: format!("CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'"),
    }
}
