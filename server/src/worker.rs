//! A worker: one process that serves one API's connections until it is told to stop, or its parent is gone.

mod activity;
mod beginning;
mod body;
mod connection;
mod context;
mod exchange;
mod guard;
mod handshake;
mod inbox;
mod limits;
mod open;
mod patience;
mod phase;
mod proxied;
mod timed;
mod too_large;
mod watch;

use std::future;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::channel::waiting::Waiting;
use crate::channel::{Channel, MESSAGE_SIZE, Received};
use crate::message::{FromWorker, ToWorker};
use crate::{app, log};
use context::{Begun, Context};
use phase::Phase;

/// How long a worker whose parent has died goes on for the requests it has.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(60);

/// Runs a worker; its control channel is the standard input.
pub fn run() -> io::Result<ExitCode> {
    let control = Channel::from(io::stdin().as_fd().try_clone_to_owned()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(control))
}

async fn serve(control: Channel) -> io::Result<ExitCode> {
    ignore_the_terminal()?;
    let control = Waiting::new(control)?;
    let mut buffer = vec![0; MESSAGE_SIZE];
    let Some((message, received)) = next(&control, &mut buffer).await? else {
        return Ok(ExitCode::FAILURE);
    };
    let Begun {
        context,
        mut manager,
        connections,
    } = Context::start(message, received)?;
    let log = log::start(&context.logging());
    let inbox = app::start(manager.as_deref_mut(), || {
        tracing::info!(
            logger = context.logger(),
            "({}) wsgi starting up on {}",
            std::process::id(),
            context.url()
        );
        inbox::Inbox::new(connections, Arc::clone(&context))
    })?;
    say(&control, &FromWorker::Ready)?;

    let mut phase = context.phase();
    // A task of its own: what wakes the outermost future wakes the whole runtime by a system call.
    let mut reader = tokio::spawn(inbox.run());
    let outcome = loop {
        tokio::select! {
            message = next(&control, &mut buffer), if !context.orphaned() => {
                if let Some((message, received)) = message? {
                    obey(&context, &control, &message, received)?;
                } else {
                    tracing::info!("Parent process has died unexpectedly, exiting");
                    context.become_orphan(Instant::now() + ORPHAN_PATIENCE);
                }
            }
            ended = &mut reader => ended??,
            () = finished(&mut phase, &context) => break context.outcome(),
        }
    };
    let counters = Box::new(context.counters.snapshot());
    let abandoned = counters.connections();
    tracing::info!(
        logger = context.logger(),
        "({}) wsgi exited",
        std::process::id()
    );
    let _ = say(
        &control,
        &FromWorker::Finished {
            counters,
            abandoned,
        },
    );
    drop(log);
    Ok(outcome)
}

/// Resolves once the worker is to finish and holds no connection any more, or its time is up.
async fn finished(phase: &mut tokio::sync::watch::Receiver<Phase>, context: &Context) {
    let Ok(finishing) = phase
        .wait_for(|phase| matches!(phase, Phase::Finishing { .. }))
        .await
    else {
        return future::pending().await;
    };
    let deadline = finishing.deadline();
    drop(finishing);
    tokio::select! {
        () = context.all_closed() => {}
        () = at(deadline) => {}
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => future::pending().await,
    }
}

fn obey(
    context: &Arc<Context>,
    control: &Waiting,
    message: &ToWorker,
    received: Received,
) -> io::Result<()> {
    match *message {
        ToWorker::Start { .. } => Err(io::Error::other("started twice")),
        ToWorker::Prepare { revision } => {
            let error = context
                .prepare(revision, received)
                .err()
                .map(|error| error.to_string());
            say(control, &FromWorker::Prepared { revision, error })
        }
        ToWorker::Commit { revision } => {
            context.commit(revision);
            Ok(())
        }
        ToWorker::Ping { number } => {
            let counters = Box::new(context.counters.snapshot());
            say(control, &FromWorker::Pong { number, counters })
        }
        ToWorker::Report => say(control, &FromWorker::Report(context.report())),
        ToWorker::LameDuck => {
            context.enter(Phase::LameDuck);
            Ok(())
        }
        ToWorker::Finish { within } => {
            let deadline = within.map(|within| Instant::now() + Duration::from_millis(within));
            context.enter(Phase::Finishing { deadline });
            Ok(())
        }
    }
}

/// The next message; `None` when the parent is gone.
async fn next(control: &Waiting, buffer: &mut [u8]) -> io::Result<Option<(ToWorker, Received)>> {
    match control.receive(buffer).await? {
        Some(received) => Ok(Some((
            serde_json::from_slice(&buffer[..received.length])?,
            received,
        ))),
        None => Ok(None),
    }
}

fn say(control: &Waiting, message: &FromWorker) -> io::Result<()> {
    match control.try_send(&serde_json::to_vec(message)?, &[]) {
        // The supervisor does not read: it hangs or is gone, and will judge us by what we say next.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
            ) =>
        {
            Ok(())
        }
        sent => sent,
    }
}

/// A terminal sends its signals to the whole group; the supervisor speaks to us by the channel.
fn ignore_the_terminal() -> io::Result<()> {
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signals = signal(kind)?;
        tokio::spawn(async move { while signals.recv().await.is_some() {} });
    }
    Ok(())
}
