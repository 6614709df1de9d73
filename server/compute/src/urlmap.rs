//! Which application a request is for (nova: `api/openstack/urlmap.py:URLMap`, over api-paste.ini).

use axum::extract::Request;
use http::header::{ACCEPT, CONTENT_TYPE};

use crate::accept::{self, Options};
use crate::versions::Release;
use crate::{header, url};

const JSON: &str = "application/json";
const VENDOR: &str = "application/vnd.openstack.compute+json";
const ATOM: &str = "application/atom+xml";

/// The applications of api-paste.ini, `[composite:osapi_compute]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    /// The list of versions, and 300 choices for everything nobody else takes.
    Versions,
    /// One version's document.
    Document(Release),
    /// Everything below a version: needs authentication.
    Api,
}

/// A request's application, and the request as seen from there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Who answers.
    pub app: App,
    /// Where the application stands: WSGI's `SCRIPT_NAME`.
    pub base: &'static str,
    /// Is the path from there on just `/`?
    pub is_root: bool,
    /// The decoded path, `base` included.
    pub path: Vec<u8>,
    /// The media type of the answer, unless it is a fault.
    pub media_type: &'static str,
}

impl Mount {
    /// By the path's prefix, else by `Content-Type: …;version=2.1`, else by `Accept: …;version=2.1`. The two headers choose
    /// the application and leave the path alone: not even repeated slashes collapse.
    pub(crate) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let raw = url::decode(request.uri().path());
        let path = url::collapse(raw.clone());
        let by_path = Some(find(&path)).filter(|(_, base)| !base.is_empty());

        let accept = header::text(headers, ACCEPT);
        let supported: &[_] = if is_index(&path, by_path) {
            &[JSON, VENDOR, ATOM]
        } else {
            &[JSON, VENDOR]
        };
        let best = accept
            .as_deref()
            .and_then(|accept| accept::best_match(accept, supported));
        let media_type = match best {
            Some((media_type, _)) if !path.ends_with(b".json") => media_type,
            _ => JSON,
        };

        let by_content_type = || {
            let content_type = header::text(headers, CONTENT_TYPE)?;
            versioned(Options::of(&content_type))
        };
        let by_accept = || best.and_then(|(_, range)| versioned(range));
        let (app, base, path) = if let Some((app, base)) = by_path {
            (app, base, path.into_owned())
        } else if let Some((app, base)) = by_content_type().or_else(by_accept) {
            (app, base, [base.as_bytes(), &raw].concat())
        } else {
            (App::Versions, "", path.into_owned())
        };
        Self {
            app,
            base,
            is_root: path[base.len()..] == *b"/",
            path,
            media_type,
        }
    }
}

/// The application that serves a path, and where it stands (nova: `URLMap._match`).
fn find(path: &[u8]) -> (App, &'static str) {
    for (base, release) in [("/v2.1", Release::V21), ("/v2", Release::V20)] {
        match path.strip_prefix(base.as_bytes()) {
            Some([] | [b'/']) => return (App::Document(release), base),
            Some([b'/', ..]) => return (App::Api, base),
            _ => {}
        }
    }
    (App::Versions, "")
}

fn versioned(options: Options) -> Option<(App, &'static str)> {
    options
        .parameter("version")
        .map(|version| find(format!("/v{version}").as_bytes()))
}

/// Only there nova would also take Atom for an answer; it is JSON all the same.
fn is_index(path: &[u8], mounted: Option<(App, &str)>) -> bool {
    path.strip_prefix(mounted.map_or("", |(_, base)| base).as_bytes()) == Some(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use rstest::rstest;

    fn mount(target: &str, headers: &[(&str, &str)]) -> Mount {
        let request = headers
            .iter()
            .fold(Request::get(target), |request, (name, value)| {
                request.header(*name, *value)
            });
        Mount::of(&request.body(Body::empty()).unwrap())
    }

    const V21: App = App::Document(Release::V21);
    const V20: App = App::Document(Release::V20);

    #[rstest]
    #[case("/", App::Versions, "")]
    #[case("/v2", V20, "/v2")]
    #[case("/v2/", V20, "/v2")]
    #[case("//v2.1//", V21, "/v2.1")]
    #[case("/%76%32.1", V21, "/v2.1")]
    #[case("/v2.1/servers", App::Api, "/v2.1")]
    #[case("/v2/servers", App::Api, "/v2")]
    #[case("/v2.10", App::Versions, "")]
    #[case("/V2.1", App::Versions, "")]
    fn the_path_chooses(#[case] target: &str, #[case] app: App, #[case] base: &str) {
        let mount = mount(target, &[]);
        assert_eq!((mount.app, mount.base), (app, base));
    }

    #[rstest]
    #[case(&[("accept", "application/json;version=2.1")], V21)]
    #[case(&[("content-type", "application/json;version=2")], V20)]
    #[case(&[("content-type", "text/html;version=2"), ("accept", "application/json;version=2.1")], V20)]
    #[case(&[("accept", "application/json;version=2.1/servers")], App::Api)]
    #[case(&[("accept", "application/json;version=3")], App::Versions)]
    #[case(&[("accept", "text/html;version=2.1")], App::Versions)]
    fn without_a_prefix_headers_choose(#[case] headers: &[(&str, &str)], #[case] app: App) {
        assert_eq!(mount("/foo", headers).app, app);
        assert_eq!(mount("/v2.1/", headers).app, V21);
    }

    #[rstest]
    #[case("/", "application/atom+xml", ATOM)]
    #[case("/v2.1/", "application/atom+xml", ATOM)]
    #[case("/v2.1", "application/atom+xml", JSON)]
    #[case("/foo", "application/vnd.openstack.compute+json", VENDOR)]
    #[case("/foo.json", "application/vnd.openstack.compute+json", JSON)]
    fn suffix_or_accept_name_the_media_type(
        #[case] target: &str,
        #[case] accept: &str,
        #[case] media_type: &str,
    ) {
        assert_eq!(mount(target, &[("accept", accept)]).media_type, media_type);
    }
}
