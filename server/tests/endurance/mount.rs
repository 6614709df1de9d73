//! A Secret as the kubelet mounts it: all its files change in one step.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use kilonova_probe::Issued;

pub struct Mount {
    path: PathBuf,
    versions: Cell<u32>,
}

impl Mount {
    /// The first version: `name` leads to `..data/name`, and `..data` to the files.
    pub fn create(path: &Path, files: &[(&str, &str)]) -> Self {
        fs::create_dir_all(path).unwrap();
        let mount = Self {
            path: path.to_owned(),
            versions: Cell::new(0),
        };
        mount.swap(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), path.join(name)).unwrap();
        }
        mount
    }

    /// The next version, in place of the one before.
    pub fn swap(&self, files: &[(&str, &str)]) {
        let version = self.versions.get() + 1;
        let folder = |version: u32| self.path.join(format!("..version_{version}"));
        fs::create_dir(folder(version)).unwrap();
        for (name, text) in files {
            fs::write(folder(version).join(name), text).unwrap();
        }
        let next = self.path.join("..data_next");
        symlink(format!("..version_{version}"), &next).unwrap();
        fs::rename(next, self.path.join("..data")).unwrap();
        if version > 1 {
            fs::remove_dir_all(folder(version - 1)).unwrap();
        }
        self.versions.set(version);
    }

    /// The next certificate, with the clients' authorities beside it.
    pub fn swap_pair(&self, issued: &Issued, authorities: &str) {
        self.swap(&files(issued, authorities));
    }
}

/// The files an API with client certificates is served with.
pub fn files<'a>(issued: &'a Issued, authorities: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("tls.crt", &issued.certificate),
        ("tls.key", &issued.key),
        ("ca.crt", authorities),
    ]
}
