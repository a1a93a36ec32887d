//! The socket's directory: whoever may write to it decides what stands at the socket's path.

use std::fs::{self, DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use crate::error::SocketError;
use crate::path::check_path;
use crate::peer::own_uid;

/// Checks the directory of a socket before anything at that path is trusted.
///
/// It must be a real directory, not a symbolic link. With no `owner` it must belong to this process's
/// user and have no permission bits for others at all. With an `owner` (the user whose server serves
/// others too) it must belong to that user, and others may enter it but not write to it.
///
/// # Errors
/// What is wrong with the path or the directory, and what to do about it.
pub fn check_directory(socket: &Path, owner: Option<u32>) -> Result<(), SocketError> {
    check_path(socket)?;
    let directory = parent(socket);
    let found = fs::symlink_metadata(directory)
        .map_err(|source| SocketError::Examine { directory: directory.to_owned(), source })?;
    judge(directory, &found, owner.unwrap_or_else(own_uid), owner.is_none())
}

/// Makes what is missing of the socket's directory, for its owner alone (0700), and checks it as
/// [`check_directory`] does. A directory that exists is never changed.
///
/// # Errors
/// If it cannot be made, or exists and is not private.
pub fn prepare_directory(socket: &Path) -> Result<(), SocketError> {
    check_path(socket)?;
    create(parent(socket), 0o700)?;
    check_directory(socket, None)
}

/// As [`prepare_directory`], for a socket that other users may use too: what is missing is made so
/// that they can enter it (0711), and nobody else may write to it.
///
/// # Errors
/// If it cannot be made, or others may write to it.
pub fn prepare_shared_directory(socket: &Path) -> Result<(), SocketError> {
    check_path(socket)?;
    create(parent(socket), 0o711)?;
    check_directory(socket, Some(own_uid()))
}

/// Whether this is a directory that only this process's user can enter.
pub(crate) fn is_private_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| judge(path, &found, own_uid(), true).is_ok())
}

fn parent(socket: &Path) -> &Path {
    match socket.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

fn create(directory: &Path, mode: u32) -> Result<(), SocketError> {
    if directory.symlink_metadata().is_ok() {
        return Ok(()); // Also a dangling link: the check refuses it with a better sentence.
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(directory)
        .map_err(|source| SocketError::Create { directory: directory.to_owned(), source })
}

fn judge(directory: &Path, found: &Metadata, expected: u32, private: bool) -> Result<(), SocketError> {
    let directory = directory.to_owned();
    if !found.is_dir() {
        return Err(SocketError::NotADirectory { directory });
    }
    if found.uid() != expected {
        return Err(SocketError::WrongOwner { directory, owner: found.uid(), expected });
    }
    let mode = found.mode() & 0o7777;
    if private && mode & OTHERS != 0 {
        return Err(SocketError::OpenToOthers { directory, mode });
    }
    if mode & OTHERS_WRITE != 0 {
        return Err(SocketError::WritableByOthers { directory, mode });
    }
    Ok(())
}

const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A directory with this mode, and the path of a socket in it.
    fn directory(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(mode)).unwrap();
        (outer, inner.join("manager.sock"))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_private_directory_passes() {
        let (_outer, socket) = directory(0o700);
        check_directory(&socket, None).unwrap();
        assert!(is_private_directory(socket.parent().unwrap()));
    }

    #[test]
    fn any_bit_for_others_is_refused_with_advice() {
        for mode in [0o710, 0o701, 0o740, 0o704, 0o720, 0o702, 0o1777] {
            let (_outer, socket) = directory(mode);
            let error = check_directory(&socket, None).unwrap_err();
            assert!(matches!(error, SocketError::OpenToOthers { .. }), "{mode:o}: {error}");
            let advice = format!("mkdir -m 700 {}/", socket.parent().unwrap().display());
            assert!(error.to_string().contains(&advice), "{error}");
        }
    }

    #[test]
    fn a_shared_directory_may_be_entered_but_not_written_to() {
        let owner = Some(own_uid());
        for mode in [0o700, 0o711, 0o755] {
            let (_outer, socket) = directory(mode);
            check_directory(&socket, owner).unwrap();
        }
        for mode in [0o770, 0o757, 0o1777] {
            let (_outer, socket) = directory(mode);
            let error = check_directory(&socket, owner).unwrap_err();
            assert!(matches!(error, SocketError::WritableByOthers { .. }), "{mode:o}: {error}");
        }
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        let (_outer, socket) = directory(0o700);
        let error = check_directory(&socket, Some(own_uid() + 1)).unwrap_err();
        assert!(matches!(error, SocketError::WrongOwner { .. }), "{error}");
    }

    #[test]
    fn a_link_a_file_and_nothing_are_no_directory() {
        let (outer, socket) = directory(0o700);
        let link = outer.path().join("link");
        symlink(socket.parent().unwrap(), &link).unwrap();
        let file = outer.path().join("file");
        fs::write(&file, "").unwrap();
        for place in [link, file] {
            let error = check_directory(&place.join("manager.sock"), None).unwrap_err();
            assert!(matches!(error, SocketError::NotADirectory { .. }), "{error}");
        }
        let error = check_directory(&outer.path().join("nothing/manager.sock"), None).unwrap_err();
        assert!(matches!(error, SocketError::Examine { .. }), "{error}");
    }

    #[test]
    fn missing_directories_are_made_private() {
        let outer = tempfile::tempdir().unwrap();
        prepare_directory(&outer.path().join("a/b/manager.sock")).unwrap();
        assert_eq!(mode(&outer.path().join("a")), 0o700);
        assert_eq!(mode(&outer.path().join("a/b")), 0o700);
        prepare_directory(&outer.path().join("a/b/manager.sock")).unwrap();
    }

    #[test]
    fn an_existing_directory_is_not_changed() {
        let (_outer, socket) = directory(0o755);
        assert!(matches!(prepare_directory(&socket), Err(SocketError::OpenToOthers { .. })));
        prepare_shared_directory(&socket).unwrap();
        assert_eq!(mode(socket.parent().unwrap()), 0o755);
    }
}
