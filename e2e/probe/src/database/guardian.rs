//! Who ends a server when its test is gone.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Ends the server when the test's end of the pipe is gone.
const GUARDIAN: &str = r#"
directory=$1 stop=$2 end=$3 initialise=$4; shift 4
# The test may be gone when an answer is ready.
trap '' PIPE
server=
while read -r word; do
  case $word in
    initialise) $initialise </dev/null >>"$directory/log" 2>&1 && echo done || echo failed ;;
    start) "$@" </dev/null >>"$directory/log" 2>&1 & server=$!; echo done ;;
    stop) kill -s "$stop" "$server"; wait "$server"; server=; echo done ;;
  esac
done
if [ -n "$server" ]; then kill -s "$end" "$server"; wait "$server"; fi
rm -rf "$directory"
"#;

/// A shell in a session of its own, so that it outlives a test that is killed with its whole group.
pub(super) struct Guardian {
    process: Child,
    /// Its end tells the shell that the test is gone.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Guardian {
    pub(super) fn start(
        directory: &Path,
        signals: [&str; 2],
        initialise: &[String],
        serve: &[String],
    ) -> Self {
        let mut process = Command::new("setsid")
            .args(["sh", "-c", GUARDIAN, "guardian"])
            .arg(directory)
            .args(signals)
            .arg(initialise.join(" "))
            .args(serve)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell would tell every time that the server was killed.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            to: process.stdin.take(),
            from: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// Has something done; `false` when it failed.
    pub(super) fn have(&mut self, word: &str) -> bool {
        writeln!(self.to.as_mut().unwrap(), "{word}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        answer == "done\n"
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.to.take());
        self.process.wait().unwrap();
    }
}
