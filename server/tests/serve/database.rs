//! Service records: made before the first worker, kept fresh, and gone with the pod.

use kilonova_config::status::PodState;
use kilonova_probe::database::{Database, Kind};
use kilonova_probe::{Connection, client, wait_for};
use kilonova_store::{Service, Store, Url};
use rustix::process::Signal;

use crate::server::{Server, run, write};

const BOTH: &str = "{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2},
                    {name: metadata, port: 0, listen: 127.0.0.1, workers: 2}";

fn configuration(apis: &str, host: &str, database: &str) -> String {
    format!(
        "{{apis: [{apis}], host: {host}, drainDelaySeconds: 0, database: {database},
          admin: {{port: 0, loopback: true}}}}"
    )
}

/// The rows of a database, as (host, binary, version), in order.
fn rows(url: &str) -> Vec<(String, String, u32)> {
    let mut rows: Vec<_> = services(url)
        .into_iter()
        .map(|row| (row.host, row.binary, row.version))
        .collect();
    rows.sort();
    rows
}

fn services(url: &str) -> Vec<Service> {
    in_database(url, async |store| store.services().list().await.unwrap())
}

fn in_database<T>(url: &str, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(&Url::parse(url).unwrap(), 1).unwrap();
        let result = work(&store).await;
        store.close().await;
        result
    })
}

fn row(host: &str, binary: &str) -> (String, String, u32) {
    (
        host.to_owned(),
        binary.to_owned(),
        kilonova_server::SERVICE_VERSION,
    )
}

#[test]
fn rows_come_with_the_pod_and_go_with_it() {
    let database = "{sqliteFile: '{dir}/nova.sqlite'}";
    let mut server = Server::start(&configuration(BOTH, "nova-0", database));
    let url = format!("sqlite:///{}/nova.sqlite", server.path().display());
    let expected = [
        row("nova-0", "nova-metadata"),
        row("nova-0", "nova-osapi_compute"),
    ];
    assert_eq!(rows(&url), expected);
    wait_for("the rows to be refreshed", || {
        let seen = services(&url).iter().all(|row| row.last_seen_up.is_some());
        seen.then_some(())
    });
    let status = server.status().database.unwrap();
    assert_eq!((status.reachable, status.error), (true, None));
    assert!(status.schema.is_some());
    assert_eq!(server.metric("kilonova_database_reachable"), Some(1.0));

    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(0));
    assert_eq!(rows(&url), []);
}

#[test]
fn tables_are_made_and_shown_by_command() {
    let directory = tempfile::tempdir().unwrap();
    let text = configuration(BOTH, "nova-0", "{sqliteFile: '{dir}/nova.sqlite'}");
    let text = text.replace("{dir}", &directory.path().display().to_string());
    let config = write(directory.path(), "kilonova.yaml", &text);
    let config = config.to_str().unwrap();
    let (code, before, _) = run(&["db", "version", "--config", config]);
    assert!(
        code == Some(0) && before.starts_with("schema version 0 "),
        "{before}"
    );
    let (code, made, _) = run(&["db", "sync", "--config", config]);
    assert!(
        code == Some(0) && !made.starts_with("schema version 0 "),
        "{made}"
    );
    assert_eq!(run(&["db", "sync", "--config", config]).1, made);
    assert_eq!(run(&["db", "version", "--config", config]).1, made);

    let none = write(directory.path(), "none.yaml", "apis: [{name: metadata}]");
    let (code, _, error) = run(&["db", "sync", "--config", none.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(error.starts_with("database: none is configured"), "{error}");
}

#[test]
fn a_service_older_than_all_others_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("nova.sqlite").display().to_string();
    in_database(&format!("sqlite:///{file}"), async |store| {
        store.sync().await.unwrap();
        let newer = kilonova_server::SERVICE_VERSION + 1;
        let services = store.services();
        services
            .enroll("nova-9", "nova-metadata", newer, false)
            .await
            .unwrap();
    });
    let with = |more: &str| {
        let only = "{name: metadata, port: 0, listen: 127.0.0.1, workers: 1}";
        configuration(only, "nova-0", &format!("{{sqliteFile: '{file}'{more}}}"))
    };
    let mut server = Server::start_in(tempfile::tempdir().unwrap(), &with(""));
    assert_eq!(server.wait_exit().code(), Some(1));
    server.wait_log(
        "This service is older (v73) than the minimum (v74) version of the rest of the deployment. Unable to continue.",
    );
    assert!(
        !server.log().contains("Starting 1 workers"),
        "before the first worker"
    );
    Server::start(&with(", allowOlderService: true"));
}

#[test]
fn a_database_that_comes_late_is_waited_for_and_one_that_goes_is_missed() {
    for kind in [Kind::Postgres, Kind::Mariadb] {
        let database = Database::start(kind);
        let url = database.url("nova");
        let host = url.split('@').nth(1).unwrap().to_owned();
        database.stop();
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "connection", &url);
        let text = configuration(BOTH, "nova-0", "{connectionFile: '{dir}/connection'}");
        let mut server = Server::start_in(directory, &text);
        server.wait_log("Lost connection to the database for reporting service status: ");
        let startup = client::get(server.admin(), "/startupz");
        let why = String::from_utf8(startup.body).unwrap();
        assert!(startup.status == 503 && why.contains("database: "), "{why}");
        assert!(why.contains(&host), "{why}");
        assert_eq!(client::get(server.admin(), "/livez").status, 200);
        assert!(
            Connection::open(server.address()).is_err(),
            "nobody connects into a hang"
        );

        database.start_again();
        server.wait_started();
        server.wait_log("Recovered from being unable to report status.");
        assert_eq!(rows(&url).len(), 2);

        database.stop();
        wait_for("the loss to be seen", || {
            (server.metric("kilonova_database_reachable") == Some(0.0)).then_some(())
        });
        assert_eq!(
            client::get(server.admin(), "/readyz").status,
            200,
            "pods stay ready"
        );
        assert_eq!(client::get(server.address(), "/").status, 200);
        database.start_again();
        wait_for("the database to be seen again", || {
            (server.metric("kilonova_database_reachable") == Some(1.0)).then_some(())
        });

        assert!(
            !server.log().contains(url.split(':').nth(2).unwrap()),
            "no password"
        );
        server.signal(Signal::TERM);
        assert_eq!(server.wait_exit().code(), Some(0));
        assert_eq!(rows(&url), []);
    }
}

#[test]
fn another_url_is_taken_over_while_running() {
    let directory = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite:///{}/{name}.sqlite", directory.path().display());
    let (one, other) = (url("one"), url("other"));
    write(directory.path(), "connection", &one);
    let text = configuration(BOTH, "nova-0", "{connectionFile: '{dir}/connection'}");
    let server = Server::start_in(directory, &text);
    server.wait_started();
    assert_eq!(rows(&one).len(), 2);
    let before = server.status().revision;

    write(server.path(), "connection", "nonsense");
    let error = wait_for("the refusal", || server.status().last_reload?.error);
    assert!(error.contains("database.connectionFile"), "{error}");
    assert_eq!(server.status().revision, before);

    write(server.path(), "connection", &other);
    wait_for("the rows in the other database", || {
        (std::path::Path::new(&other["sqlite:///".len()..]).exists()
            && server.status().revision != before)
            .then_some(())
    });
    wait_for("both rows", || {
        let made = in_database(&other, async |store| store.services().list().await.ok());
        (made?.len() == 2).then_some(())
    });
    assert_eq!(server.status().state, PodState::Running);
}

#[test]
fn a_row_that_was_taken_away_comes_back_and_the_dead_are_swept() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/nova.sqlite", directory.path().display());
    in_database(&url, async |store| {
        recorded(store, "dead", 1).await;
        age(&url).await;
    });
    let text = configuration(BOTH, "nova-0", "{sqliteFile: '{dir}/nova.sqlite'}");
    let server = Server::start_in(directory, &text);
    server.wait_started();
    server.wait_log("Removed 1 service records of pods that are gone");
    assert_eq!(rows(&url).len(), 2);
    in_database(&url, async |store| {
        store
            .services()
            .remove("nova-0", "nova-metadata")
            .await
            .unwrap();
    });
    wait_for("the row to be back", || {
        (rows(&url).len() == 2).then_some(())
    });
    server.wait_log("is gone, putting it back");
}

/// Leaves a record of the metadata service, as another pod or release would.
async fn recorded(store: &Store, host: &str, version: u32) {
    store.sync().await.unwrap();
    let services = store.services();
    let enrolled = services.enroll(host, "nova-metadata", version, false).await;
    enrolled.unwrap();
}

/// Makes all rows as old as those of pods that left no word.
async fn age(url: &str) {
    use sqlx::{Connection, SqliteConnection};

    let mut database = SqliteConnection::connect(&url.replace("sqlite:///", "sqlite://"))
        .await
        .unwrap();
    let long_ago = "2020-01-01 00:00:00";
    sqlx::query("UPDATE services SET created_at = ?, last_seen_up = ?")
        .bind(long_ago)
        .bind(long_ago)
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
}

#[test]
fn without_a_name_the_pod_is_called_as_its_host() {
    let text = configuration(BOTH, "nova-0", "{sqliteFile: '{dir}/nova.sqlite'}");
    let server = Server::start(&text.replace("host: nova-0, ", ""));
    let url = format!("sqlite:///{}/nova.sqlite", server.path().display());
    let system = rustix::system::uname();
    let host = system.nodename().to_str().unwrap();
    let expected = ["nova-metadata", "nova-osapi_compute"].map(|binary| row(host, binary));
    assert_eq!(rows(&url), expected);
}

#[test]
fn another_version_is_told_in_nova_s_words() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/nova.sqlite", directory.path().display());
    in_database(&url, async |store| {
        recorded(store, "nova-0", 61).await;
    });
    let text = configuration(BOTH, "nova-0", "{sqliteFile: '{dir}/nova.sqlite'}");
    let server = Server::start_in(directory, &text);
    server.wait_started();
    assert!(
        server
            .log()
            .contains("Updating service version for nova-metadata on nova-0 from 61 to 73\n"),
        "{}",
        server.log()
    );
    assert_eq!(rows(&url)[0], row("nova-0", "nova-metadata"));
}
