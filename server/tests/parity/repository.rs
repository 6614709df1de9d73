//! The files of the repository, and the tests in them.

use std::fs;
use std::path::{Path, PathBuf};

/// A file's text, by its path from the root of the repository.
pub fn text(path: &str) -> String {
    let file = root().join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Why there is no such test; `[package ]path::to::test`, the package being the server when none is named, the path
/// being what `cargo test` prints, after the name of an integration test's target.
pub fn missing(name: &str) -> Option<String> {
    let (package, path) = name.split_once(' ').unwrap_or(("kilonova-server", name));
    let folder = match package {
        "kilonova-server" => "server".to_owned(),
        package => format!("server/{}", package.strip_prefix("kilonova-")?),
    };
    let folder = root().join(folder);
    if !folder.join("Cargo.toml").is_file() {
        return Some(format!("there is no package {package}"));
    }
    let mut modules: Vec<_> = path.split("::").collect();
    let test = modules.pop()?;
    let target = modules
        .first()
        .map(|target| folder.join("tests").join(target));
    let target = target.filter(|it| it.is_dir() || it.with_extension("rs").is_file());
    let (root, inner) = match &target {
        Some(target) if target.is_dir() => (target.clone(), &modules[1..]),
        Some(target) => (target.with_extension("rs"), &modules[1..]),
        None => (folder.join("src"), &modules[..]),
    };
    let Some((file, inline)) = file(&root, inner) else {
        return Some(format!("there is no file of {path}"));
    };
    let source = fs::read_to_string(&file).ok()?;
    if let Some(module) = inline
        .iter()
        .find(|module| !source.contains(&format!("mod {module} {{")))
    {
        return Some(format!("there is no module {module} in {}", file.display()));
    }
    (!is_test(&source, test)).then(|| format!("there is no test {test} in {}", file.display()))
}

/// The file of a module below `root`, and the modules inside of that file.
fn file<'a>(root: &Path, modules: &'a [&'a str]) -> Option<(PathBuf, &'a [&'a str])> {
    if root.is_file() {
        return Some((root.to_owned(), modules));
    }
    (0..=modules.len()).rev().find_map(|depth| {
        let names: PathBuf = modules[..depth].iter().collect();
        let file = match depth {
            0 => ["main.rs", "lib.rs"]
                .map(|name| root.join(name))
                .into_iter()
                .find(|it| it.is_file())?,
            _ => root.join(names).with_extension("rs"),
        };
        file.is_file().then(|| (file, &modules[depth..]))
    })
}

/// Whether a function of that name has an attribute that makes it a test.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().collect();
    let begins = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|line| line.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let Some(place) = lines.iter().position(|line| begins(line)) else {
        return false;
    };
    let before = lines[..place].iter().rev().map(|line| line.trim());
    before
        .take_while(|line| !line.is_empty() && *line != "}")
        .any(|line| {
            ["#[test]", "#[rstest]", "#[tokio::test"]
                .iter()
                .any(|attribute| line.starts_with(attribute))
        })
}

#[test]
fn tests_are_found_by_their_names() {
    for name in [
        "parity::repository::tests_are_found_by_their_names",
        "serve::smuggling::what_is_no_request_is_refused",
        "listen::tests::a_taken_port_is_refused",
        "http1::tests::good_requests_pass",
        "kilonova-store records::schema::many_processes_make_one_schema",
    ] {
        assert_eq!(missing(name), None);
    }
    for name in [
        "parity::repository::missing",
        "parity::repository::gone",
        "parity::gone::gone",
        "listen::a_taken_port_is_refused::gone",
        "listen::probes::a_taken_port_is_refused",
        "kilonova-gone listen::tests::a_taken_port_is_refused",
    ] {
        assert!(missing(name).is_some(), "{name}");
    }
}
