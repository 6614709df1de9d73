//! Data for a worker in memory that nobody can change any more: settings and key material never touch a disk.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a value down and seals it.
pub fn write<T: Serialize>(value: &T) -> io::Result<OwnedFd> {
    let memory = memfd_create(
        "kilonova-settings",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    let mut file = File::from(memory);
    file.write_all(&serde_json::to_vec(value)?)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

/// Reads a value that [`write`] wrote.
pub fn read<T: DeserializeOwned>(memory: OwnedFd) -> io::Result<T> {
    let file = File::from(memory);
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut text = vec![0; size];
    // The descriptor shares its position with the writer's: read from a stated place instead.
    file.read_exact_at(&mut text, 0)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_cannot_be_changed() {
        let memory = write(&vec!["a", "b"]).unwrap();
        let writer = File::from(memory.try_clone().unwrap());
        assert!(writer.write_at(b"x", 0).is_err());
        assert!(writer.set_len(0).is_err());
        let read: Vec<String> = read(memory).unwrap();
        assert_eq!(read, ["a", "b"]);
    }
}
