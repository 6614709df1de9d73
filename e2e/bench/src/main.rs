//! `kilonova-bench`: prints what the server costs; exits 1 if a figure falls short.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, Subcommand};
use kilonova_bench::cases::{ALL, Bench};
use kilonova_bench::figure::Figure;
use kilonova_bench::process::Machine;
use kilonova_bench::rival;

/// Measures the server, side by side with a bare hyper server and with the real nova.
#[derive(Debug, Parser)]
#[command(name = "kilonova-bench")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measure, and print a line for each figure.
    Run {
        /// The release build of kilonova-server.
        server: PathBuf,
        /// The script that serves the real nova, where it is laid out.
        #[arg(long)]
        nova: Option<PathBuf>,
        /// Only cases with these names.
        #[arg(long)]
        only: Vec<String>,
    },
    /// Serve one answer: the rival, started by `run`.
    #[command(hide = true)]
    Bare {
        address: SocketAddr,
        answer: PathBuf,
        #[arg(long)]
        tls: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().verb {
        Verb::Bare {
            address,
            answer,
            tls,
        } => {
            rival::serve(address, &answer, tls.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Run { server, nova, only } => {
            take_the_second_cpu();
            be_nice(-15);
            let all_hold = run(&server, nova.as_deref(), &only);
            be_nice(0);
            Ok(ExitCode::from(u8::from(!all_hold?)))
        }
    }
}

/// Prints the figures as they come; whether all hold.
fn run(server: &Path, nova: Option<&Path>, only: &[String]) -> anyhow::Result<bool> {
    let machine = Machine::look()?;
    let bench = Bench::new(server, nova)?;
    println!("{}", Figure::heading());
    let mut all_hold = true;
    for (name, case) in ALL {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        for figure in case(&bench)? {
            println!("{figure}");
            all_hold &= figure.holds();
        }
    }
    drop(bench);
    let others = Machine::look()?.others_since(machine);
    println!(
        "others used {others:.2} CPUs meanwhile; from about 0.2 on, trust ratios of CPU alone"
    );
    println!(
        "new connection each: ours cannot accept for itself, so beside it the bare server does"
    );
    if nova.is_none() {
        println!("without the real nova: `make nova-lab` lays it out, in some minutes");
    }
    Ok(all_hold)
}

/// The servers have the first. On a machine with one CPU all share it, and the ratios still hold.
fn take_the_second_cpu() {
    let own = std::process::id().to_string();
    let _ = Command::new("taskset")
        .args(["--pid", "--cpu-list", "1", &own])
        .stdout(Stdio::null())
        .status();
}

/// Ours and the servers' turn before what else runs here (negative), or like it (0), as far as we may say so. Where the
/// kernel groups processes by session, only the group's niceness counts between sessions.
fn be_nice(value: i32) {
    let _ = rustix::process::setpriority_process(None, value);
    let _ = fs::write("/proc/self/autogroup", value.to_string());
}
