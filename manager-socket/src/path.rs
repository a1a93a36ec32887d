//! The socket's path: which one is the default, and which can be the address of a socket at all.

use std::env;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::directory::is_private_directory;
use crate::error::SocketError;
use crate::peer::own_uid;

/// Longest path of a socket in bytes: `sun_path` has 108, the last of them for the final NUL.
pub const MAX_PATH_BYTES: usize = 107;

/// The socket that is meant when none is named.
///
/// `$XDG_RUNTIME_DIR/manager/manager.sock`; else `/run/user/UID/manager/manager.sock` if that
/// directory of this user exists; else, for root, `/run/manager/manager.sock`. Never under `/tmp`,
/// where anybody could be first to make it.
///
/// # Errors
/// [`SocketError::NoDefault`] if none of these applies.
pub fn default_socket() -> Result<PathBuf, SocketError> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    default_for(runtime, own_uid(), is_private_directory).ok_or(SocketError::NoDefault)
}

/// Checks that the path can be the address of a socket: short enough, and the name of a file.
///
/// # Errors
/// [`SocketError::TooLong`] or [`SocketError::NoFileName`].
pub fn check_path(path: &Path) -> Result<(), SocketError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > MAX_PATH_BYTES {
        return Err(SocketError::TooLong { path: path.to_owned(), length: bytes.len() });
    }
    if path.file_name().is_none() || bytes.ends_with(b"/") || bytes.contains(&0) {
        return Err(SocketError::NoFileName { path: path.to_owned() });
    }
    Ok(())
}

fn default_for(runtime: Option<PathBuf>, uid: u32, is_ours: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    // The XDG specification: a relative path is to be ignored.
    let directory = runtime.filter(|path| path.is_absolute()).or_else(|| {
        let directory = PathBuf::from(format!("/run/user/{uid}"));
        is_ours(&directory).then_some(directory)
    });
    let directory = directory.or_else(|| (uid == 0).then(|| PathBuf::from("/run")))?;
    Some(directory.join("manager/manager.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_directory_comes_first() {
        let path = default_for(Some("/run/user/7".into()), 7, |_| true);
        assert_eq!(path, Some("/run/user/7/manager/manager.sock".into()));
    }

    #[test]
    fn a_relative_or_empty_runtime_directory_is_ignored() {
        for runtime in ["", "run"] {
            let path = default_for(Some(runtime.into()), 7, |directory| directory == Path::new("/run/user/7"));
            assert_eq!(path, Some("/run/user/7/manager/manager.sock".into()));
        }
    }

    #[test]
    fn only_root_has_a_place_without_a_directory_of_its_own() {
        assert_eq!(default_for(None, 0, |_| false), Some("/run/manager/manager.sock".into()));
        assert_eq!(default_for(None, 7, |_| false), None);
        assert!(SocketError::NoDefault.to_string().contains("--socket"));
    }

    #[test]
    fn a_path_may_have_107_bytes_and_not_108() {
        let path = |length: usize| PathBuf::from(format!("/{}", "x".repeat(length - 1)));
        check_path(&path(107)).unwrap();
        let message = check_path(&path(108)).unwrap_err().to_string();
        assert!(message.contains("107") && message.contains("108 bytes"), "{message}");
    }

    #[test]
    fn a_path_must_end_in_the_name_of_a_file() {
        check_path(Path::new("manager.sock")).unwrap();
        for path in ["", "/", "..", "/run/..", "/run/manager/", "a\0b"] {
            let error = check_path(Path::new(path)).unwrap_err();
            assert!(matches!(error, SocketError::NoFileName { .. }), "{path:?}: {error}");
        }
    }
}
