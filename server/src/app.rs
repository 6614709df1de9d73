//! The apps by name: nova's `Loader.load_app`, and their managers.

use std::future::ready;
use std::io;

use axum::extract::Request;
use kilonova_compute::{Answer, Origin};
use kilonova_config::api::{METADATA, OSAPI_COMPUTE};

/// What a worker serves.
pub struct App {
    /// Answers requests.
    pub routes: Routes,
    /// Called as the worker starts (nova: `SERVICE_MANAGERS`).
    pub manager: Option<Box<dyn Manager>>,
}

/// Which app answers: called directly, since a router of one route costs as much as a small answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// The Compute API.
    OsapiCompute,
    /// The metadata of instances.
    Metadata,
}

impl Routes {
    /// Has a request answered.
    pub fn answer(self, request: Request, origin: Origin) -> Answer {
        match self {
            Self::OsapiCompute => kilonova_compute::answer(request, origin),
            Self::Metadata => Answer::Left(ready(kilonova_metadata::answer(&request))),
        }
    }
}

/// What an app does beside answering requests. An error ends the worker: it is started anew, and an app that cannot
/// start makes its API failing, with the error as the reason.
pub trait Manager {
    /// First of all, before anything is served.
    fn init_host(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// After `init_host`, right before connections are taken.
    fn pre_start_hook(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// When connections can be taken, before the worker says that it is ready.
    fn post_start_hook(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The app of an API; `None` for a name that is none (nova: `PasteAppNotFound`).
pub fn load(name: &str) -> Option<App> {
    match name {
        OSAPI_COMPUTE => Some(App {
            routes: Routes::OsapiCompute,
            manager: None,
        }),
        METADATA => Some(App {
            routes: Routes::Metadata,
            manager: Some(Box::new(MetadataManager)),
        }),
        _ => None,
    }
}

/// nova's `WSGIService.start`, around what begins to serve.
pub fn start<T>(
    manager: Option<&mut (dyn Manager + 'static)>,
    serve: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let Some(manager) = manager else {
        return serve();
    };
    manager.init_host()?;
    manager.pre_start_hook()?;
    let served = serve()?;
    manager.post_start_hook()?;
    Ok(served)
}

/// Versions of the metadata are days, and those of the future are not listed: a clock that is wrong hides them.
struct MetadataManager;

impl Manager for MetadataManager {
    fn init_host(&mut self) -> io::Result<()> {
        let hidden = kilonova_metadata::hidden_versions();
        if !hidden.is_empty() {
            tracing::warn!(
                "The clock is before {}: these versions of the metadata are not listed. Set the clock.",
                hidden.join(", ")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    struct Recording {
        calls: Rc<RefCell<Vec<&'static str>>>,
        fails: &'static str,
    }

    impl Recording {
        fn call(&self, name: &'static str) -> io::Result<()> {
            self.calls.borrow_mut().push(name);
            if self.fails == name {
                return Err(io::Error::other("no"));
            }
            Ok(())
        }
    }

    impl Manager for Recording {
        fn init_host(&mut self) -> io::Result<()> {
            self.call("init_host")
        }
        fn pre_start_hook(&mut self) -> io::Result<()> {
            self.call("pre_start_hook")
        }
        fn post_start_hook(&mut self) -> io::Result<()> {
            self.call("post_start_hook")
        }
    }

    fn calls(fails: &'static str) -> (Vec<&'static str>, bool) {
        let calls = Rc::new(RefCell::new(Vec::new()));
        let mut manager = Recording {
            calls: Rc::clone(&calls),
            fails,
        };
        let started = start(Some(&mut manager), || {
            calls.borrow_mut().push("serve");
            Ok(())
        });
        (calls.take(), started.is_ok())
    }

    #[test]
    fn hooks_are_called_in_nova_s_order_until_one_fails() {
        let all = ["init_host", "pre_start_hook", "serve", "post_start_hook"];
        assert_eq!(calls(""), (all.to_vec(), true));
        assert_eq!(calls("init_host"), (all[..1].to_vec(), false));
        assert_eq!(calls("pre_start_hook"), (all[..2].to_vec(), false));
        assert_eq!(calls("post_start_hook"), (all.to_vec(), false));
    }

    #[test]
    fn metadata_has_a_manager_and_names_that_are_none_have_no_app() {
        assert!(load(OSAPI_COMPUTE).is_some_and(|app| app.manager.is_none()));
        let mut metadata = load(METADATA).unwrap().manager.unwrap();
        assert!(metadata.init_host().is_ok());
        assert!(load("ec2").is_none());
    }
}
