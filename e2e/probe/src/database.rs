//! A PostgreSQL or MariaDB server of a test's own, on loopback unless another address is asked for, and in a directory of
//! its own.
//!
//! ```text
//! test ──(lines on a pipe)──► guardian (a shell in a session of its own) ──► server
//! ```
//!
//! When the test ends, in whatever way, the pipe ends; then the guardian ends the server and removes the directory.
//! So one that lives in a `static`, which Rust never drops, is cleaned up as well.

mod guardian;
mod mariadb;
mod postgres;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Authority, wait_for};
use guardian::Guardian;

/// Of whom URLs speak.
pub const USER: &str = "nova";
/// The password, with what has to be percent-encoded in a URL.
pub const PASSWORD: &str = "s3cret@/:%";
/// The password as a URL has it.
pub const ENCODED_PASSWORD: &str = "s3cret%40%2F%3A%25";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
}

/// A server that is running, unless it was stopped.
pub struct Database {
    kind: Kind,
    directory: PathBuf,
    address: SocketAddrV4,
    authority: Authority,
    guardian: Mutex<Guardian>,
}

/// What differs between the two.
struct Program {
    /// Makes the data directory.
    initialise: Vec<String>,
    serve: Vec<String>,
    /// The signal that ends it without waiting for its clients.
    stop: &'static str,
    /// The signal that ends it at once, for good.
    end: &'static str,
    /// Runs a statement as the administrator; the database's name and the statement follow.
    client: Vec<String>,
    /// What makes the user of the URLs.
    user: String,
}

impl Database {
    /// Starts one and waits until it answers.
    pub fn start(kind: Kind) -> Self {
        Self::start_on(kind, Ipv4Addr::LOCALHOST)
    }

    /// Starts one on an address of this machine that others reach as well, and waits until it answers.
    pub fn start_on(kind: Kind, ip: Ipv4Addr) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("kilonova-database-")
            .tempdir()
            .unwrap()
            .keep();
        let authority = Authority::new();
        let issued = authority.issue(&["localhost", "127.0.0.1"], (2020, 2099));
        fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
        fs::write(directory.join("server.pem"), &issued.certificate).unwrap();
        fs::write(directory.join("server.key"), &issued.key).unwrap();
        fs::write(directory.join("password"), PASSWORD).unwrap();
        fs::set_permissions(
            directory.join("server.key"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        fs::write(directory.join("hba"), postgres::HBA).unwrap();
        hand_over(&directory);

        let address = free(ip);
        let program = Program::of(kind, &directory, address);
        let guardian = Guardian::start(
            &directory,
            [program.stop, program.end],
            &as_nobody(&program.initialise),
            &as_nobody(&program.serve),
        );
        let database = Self {
            kind,
            directory,
            address,
            authority,
            guardian: Mutex::new(guardian),
        };
        database.have("initialise");
        database.start_again();
        database.administer("", &program.user);
        database
    }

    /// Which server it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Who signed its certificate, which is for `localhost` and 127.0.0.1.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The file with the authority's certificate.
    pub fn authority_file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// Makes an empty database and gives its URL, with user and password and no parameters.
    pub fn url(&self, name: &str) -> String {
        let creation = match self.kind {
            Kind::Postgres => vec![format!("CREATE DATABASE {name} OWNER {USER}")],
            Kind::Mariadb => vec![
                format!("CREATE DATABASE {name}"),
                format!("GRANT ALL ON {name}.* TO {USER}"),
            ],
        };
        for statement in creation {
            self.administer("", &statement);
        }
        let scheme = match self.kind {
            Kind::Postgres => "postgresql",
            Kind::Mariadb => "mysql+pymysql",
        };
        let address = self.address;
        format!("{scheme}://{USER}:{ENCODED_PASSWORD}@{address}/{name}")
    }

    /// Runs a statement as the administrator and gives its rows, a line each, columns parted by tabs.
    pub fn administer(&self, database: &str, statement: &str) -> String {
        let output = self.client(database, statement).output().unwrap();
        assert!(
            output.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// How many connections the user of the URLs has to a database now.
    pub fn connections(&self, database: &str) -> usize {
        let statement = match self.kind {
            Kind::Postgres => format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND usename = '{USER}'"
            ),
            Kind::Mariadb => format!(
                "SELECT count(*) FROM information_schema.processlist WHERE db = '{database}' AND user = '{USER}'"
            ),
        };
        self.administer("", &statement).parse().unwrap()
    }

    /// Stops it, clients or not, and waits until it is gone.
    pub fn stop(&self) {
        self.have("stop");
    }

    /// Starts it again after [`Database::stop`], on the same port and with the same data.
    pub fn start_again(&self) {
        self.have("start");
        let answers = || {
            let asked = self.client("", "SELECT 1").output().unwrap();
            asked.status.success().then_some(())
        };
        wait_for(
            &format!("{:?} to answer\n{}", self.kind, self.log()),
            answers,
        );
    }

    /// Lets it hang: connections stay, nothing answers. MariaDB alone, for PostgreSQL is many processes.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends [`Database::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        assert_eq!(self.kind, Kind::Mariadb);
        let pid = fs::read_to_string(self.directory.join("pid")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn have(&self, word: &str) {
        let done = self.guardian.lock().unwrap().have(word);
        assert!(done, "{word}: {}", self.log());
    }

    fn program(&self) -> Program {
        Program::of(self.kind, &self.directory, self.address)
    }

    fn client(&self, database: &str, statement: &str) -> Command {
        let words = self.program().client;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        match self.kind {
            Kind::Postgres if database.is_empty() => command.args(["-d", "postgres"]),
            Kind::Postgres => command.args(["-d", database]),
            Kind::Mariadb if database.is_empty() => &mut command,
            Kind::Mariadb => command.args(["-D", database]),
        };
        match self.kind {
            Kind::Postgres => command.args(["-c", statement]),
            Kind::Mariadb => command.args(["-e", statement]),
        };
        command.stdin(Stdio::null());
        command
    }
}

impl Program {
    fn of(kind: Kind, directory: &Path, address: SocketAddrV4) -> Self {
        match kind {
            Kind::Postgres => postgres::program(directory, address),
            Kind::Mariadb => mariadb::program(directory, address),
        }
    }
}

/// Neither server runs as root.
fn as_nobody(program: &[String]) -> Vec<String> {
    let mut words: Vec<String> = ["setpriv", "--pdeathsig", "KILL"].map(String::from).into();
    if rustix::process::geteuid().is_root() {
        words.extend(
            ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"].map(String::from),
        );
    }
    words.extend_from_slice(program);
    words
}

/// Gives the directory to the user the server runs as.
fn hand_over(directory: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let id = |what: &str| -> u32 {
        let output = Command::new("id").args([what, "nobody"]).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    };
    let (user, group) = (id("-u"), id("-g"));
    for entry in fs::read_dir(directory).unwrap() {
        chown(entry.unwrap().path(), Some(user), Some(group)).unwrap();
    }
    chown(directory, Some(user), Some(group)).unwrap();
}

fn free(ip: Ipv4Addr) -> SocketAddrV4 {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    SocketAddrV4::new(ip, listener.local_addr().unwrap().port())
}

/// The arguments of a command line, of which none holds white space.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(String::from).collect()
}
