//! Whether the database's Secret can be used. No message holds anything of what is in it.

use kube::ResourceExt;

use super::{Problem, Shelf, Subject, Verdict};
use crate::api::{ApiService, Database};
use crate::desired::Desired;
use crate::tls::Secrets;

/// What SQLAlchemy and the server call databases, up to the driver.
const DIALECTS: &[&str] = &["mysql", "mariadb", "postgresql", "sqlite"];
const HINT: &str =
    "it must hold the database's URL as in nova.conf, such as mysql+pymysql://nova:…@host/nova";

pub(super) fn judge(service: &ApiService, desired: &Desired, secrets: &Secrets) -> Vec<Verdict> {
    let Some(database) = &service.spec.database else {
        return Vec::new();
    };
    let namespace = service.namespace().unwrap_or_default();
    let shelf = Shelf {
        namespace: &namespace,
        secrets,
    };
    let several = desired.workloads.len() > 1
        || desired
            .workloads
            .iter()
            .any(|workload| workload.replicas > 1 || workload.handed_over);
    let problem = check(shelf, database, several).err();
    let apis = service.spec.apis.iter();
    apis.map(|api| Verdict {
        problem: problem.clone(),
        ..Verdict::new(api.name, Subject::Database)
    })
    .collect()
}

fn check(shelf: Shelf<'_>, database: &Database, several: bool) -> Result<(), Problem> {
    let (name, key) = (&database.secret_name, &database.key);
    let secret = shelf.secret(name, HINT)?;
    let value = shelf.value(secret, key, HINT)?;
    let wrong = |what: &str| {
        let message = format!(
            "Secret {}/{name}, key {key}: {what}; {HINT}",
            shelf.namespace
        );
        Problem::blocking("DatabaseURLInvalid", message)
    };
    let url = std::str::from_utf8(value)
        .map_err(|_| wrong("the URL is not UTF-8"))?
        .trim();
    if url.is_empty() {
        return Err(wrong("the URL is empty"));
    }
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| wrong("the URL does not begin with a scheme"))?;
    let dialect = scheme
        .split_once('+')
        .map_or(scheme, |(dialect, _)| dialect);
    if !DIALECTS.contains(&dialect) {
        return Err(wrong(
            "the URL begins with none of mysql, mariadb, postgresql and sqlite",
        ));
    }
    if dialect == "sqlite" {
        return sqlite(several).map_err(|what| {
            let message = format!("Secret {}/{name}, key {key}: {what}", shelf.namespace);
            Problem::blocking("DatabaseIsSQLite", message)
        });
    }
    let (before, after) = rest.split_once('/').unwrap_or((rest, ""));
    let host = before.rsplit_once('@').map_or(before, |(_, host)| host);
    let database = after.split_once('?').map_or(after, |(name, _)| name);
    // A socket stands in the parameters instead of a host.
    if host.is_empty() && !after.contains('?') {
        return Err(wrong("the URL names no host"));
    }
    if database.is_empty() {
        return Err(wrong("the URL names no database after the host"));
    }
    Ok(())
}

fn sqlite(several: bool) -> Result<(), &'static str> {
    if several {
        return Err(
            "a SQLite database serves one pod only: name a PostgreSQL or MySQL database, or set replicas to 1, remove \
             autoscaling, and run both APIs with podLayout: Combined",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;
    use k8s_openapi::jiff::Timestamp;
    use rstest::rstest;

    use crate::desired::{Release, desired};

    fn judged(spec: &str, secret: Option<(&str, &str)>) -> Vec<Verdict> {
        let service: ApiService = serde_yaml::from_str(&format!(
            "{{apiVersion: kilonova.dev/v1alpha1, kind: ApiService, \
             metadata: {{name: nova, namespace: cloud, uid: u}}, spec: {spec}}}"
        ))
        .unwrap();
        let secrets: Secrets = secret
            .map(|(key, value)| {
                let value = ByteString(value.as_bytes().to_vec());
                let mut secret = Secret {
                    data: Some([(key.to_owned(), value)].into()),
                    ..Secret::default()
                };
                secret.metadata.name = Some("db".to_owned());
                ("db".to_owned(), secret)
            })
            .into_iter()
            .collect();
        let desired = desired(&service, &Release::default()).unwrap();
        super::super::judge(&service, &desired, &secrets, Timestamp::UNIX_EPOCH)
    }

    const ONE: &str = "{database: {secretName: db}, apis: [{name: metadata}]}";
    const TWO: &str = "{replicas: 2, database: {secretName: db}, apis: [{name: metadata}]}";
    const SCALED: &str =
        "{database: {secretName: db}, autoscaling: {external: true}, apis: [{name: metadata}]}";

    #[rstest]
    #[case(TWO, "mysql+pymysql://nova:hunter2@db/nova\n")]
    #[case(TWO, "mariadb://nova@db/nova?charset=utf8")]
    #[case(TWO, "postgresql+psycopg2://nova:hunter2@[::1]:5432/nova")]
    #[case(TWO, "postgresql:///nova?host=/run/postgresql")]
    #[case(ONE, "sqlite:////data/nova.sqlite")]
    fn urls_of_nova_conf_are_taken(#[case] spec: &str, #[case] url: &str) {
        let problems: Vec<_> = judged(spec, Some(("connection", url)))
            .into_iter()
            .filter_map(|verdict| verdict.problem)
            .collect();
        assert_eq!(problems, []);
    }

    #[rstest]
    #[case(ONE, None, "SecretNotFound", "Secret cloud/db does not exist")]
    #[case(
        ONE,
        Some(("url", "x")),
        "SecretKeyMissing",
        "Secret cloud/db has no key connection"
    )]
    #[case(ONE, Some(("connection", " \n")), "DatabaseURLInvalid", "is empty")]
    #[case(ONE, Some(("connection", "hunter2")), "DatabaseURLInvalid", "a scheme")]
    #[case(ONE, Some(("connection", "hunter2://a/b")), "DatabaseURLInvalid", "none of mysql")]
    #[case(ONE, Some(("connection", "mysql://u:hunter2@/nova")), "DatabaseURLInvalid", "no host")]
    #[case(ONE, Some(("connection", "mysql://u:hunter2@db")), "DatabaseURLInvalid", "no database")]
    #[case(TWO, Some(("connection", "sqlite:////a")), "DatabaseIsSQLite", "one pod only")]
    #[case(SCALED, Some(("connection", "sqlite:////a")), "DatabaseIsSQLite", "one pod only")]
    fn what_cannot_be_used_holds_the_api_and_nothing_secret_is_told(
        #[case] spec: &str,
        #[case] secret: Option<(&str, &str)>,
        #[case] reason: &str,
        #[case] said: &str,
    ) {
        let verdicts = judged(spec, secret);
        let [verdict] = verdicts.as_slice() else {
            panic!("{verdicts:?}");
        };
        assert_eq!(verdict.about, Subject::Database);
        let problem = verdict.problem.as_ref().unwrap();
        assert!(problem.blocks && problem.reason == reason, "{problem:?}");
        assert!(problem.message.contains(said), "{}", problem.message);
        assert!(!problem.message.contains("hunter2"), "{}", problem.message);
    }
}
