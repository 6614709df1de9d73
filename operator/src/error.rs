//! What can go wrong in a reconcile. All of it is tried again.

use kube::core::Status;

/// Why a reconcile ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An object from the API server lacks what every object has.
    #[error("the resource has no {0}")]
    Incomplete(&'static str),
    /// The server's settings could not be written down.
    #[error("cannot write the server's settings: {0}")]
    Settings(#[from] kilonova_config::Error),
    /// A value could not be turned into JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The API server said no.
    #[error("cannot {doing}: {}", brief(source))]
    Cluster {
        /// What we were doing, such as `read Secret default/nova-tls`.
        doing: String,
        /// What came back.
        source: Box<kube::Error>,
    },
    /// The API server said nothing.
    #[error("cannot {0}: no answer within {1} seconds")]
    Silent(String, u64),
    /// Another replica may be at work.
    #[error("cannot {0}: this replica does not hold the lease")]
    NotLeading(String),
    /// An object changed under our hands; the next attempt sees the new one.
    #[error("cannot {doing}: it changed meanwhile ({message})")]
    Outrun {
        /// What we were doing.
        doing: String,
        /// What the API server said.
        message: String,
    },
}

impl Error {
    /// The error's name in metrics.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Incomplete(_) => "incomplete",
            Self::Settings(_) | Self::Json(_) => "rendering",
            Self::Cluster { source, .. } => match source.as_ref() {
                kube::Error::Api(_) => "refused",
                kube::Error::SerdeError(_) => "unreadable",
                _ => "unreachable",
            },
            Self::Silent(..) => "timeout",
            Self::NotLeading(_) => "not-leading",
            Self::Outrun { .. } => "outrun",
        }
    }

    /// Whether there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Cluster { source, .. } if answer(source).is_some_and(Status::is_not_found))
    }

    /// Whether there is not even such a kind: what answers that need not speak JSON.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Cluster { source, .. } if answer(source).is_some_and(|answer| answer.code == 404))
    }

    /// Whether the operator is not allowed to.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Cluster { source, .. } if answer(source).is_some_and(Status::is_forbidden))
    }

    /// The same error, as [`Error::Outrun`] if it is one.
    #[must_use]
    pub fn outrun(self) -> Self {
        match self {
            Self::Cluster { doing, source } if is_outrun(&source) => Self::Outrun {
                message: brief(&source),
                doing,
            },
            other => other,
        }
    }

    /// Whether the namespace is being deleted: nothing can be created in it any more.
    pub fn is_of_a_leaving_namespace(&self) -> bool {
        let Self::Cluster { source, .. } = self else {
            return false;
        };
        answer(source).is_some_and(|answer| {
            let mut causes = answer.details.iter().flat_map(|details| &details.causes);
            answer.is_forbidden() && causes.any(|cause| cause.reason == "NamespaceTerminating")
        })
    }

    /// What the API server has against the content of an object, if that is what it refused.
    pub fn refusal(&self) -> Option<&str> {
        let Self::Cluster { source, .. } = self else {
            return None;
        };
        let answer = answer(source)?;
        let content = answer.is_invalid() || answer.is_forbidden() || answer.code == 400;
        (content && !is_outrun(source)).then_some(answer.message.as_str())
    }
}

/// Whether the object is not the one that was meant, or no longer as it was.
fn is_outrun(error: &kube::Error) -> bool {
    answer(error).is_some_and(|answer| {
        let mut causes = answer.details.iter().flat_map(|details| &details.causes);
        answer.is_conflict()
            || answer.is_already_exists()
            || (answer.is_invalid() && causes.any(|cause| cause.field == "metadata.uid"))
    })
}

fn answer(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(answer) => Some(answer),
        _ => None,
    }
}

/// kube's own text repeats a refusal as a debug dump.
fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(answer) => answer.message.clone(),
        other => other.to_string(),
    }
}
