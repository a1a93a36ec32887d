//! Where the server is, and what must be true of it before it is trusted.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use manager_protocol::{Frame, FrameKind, Hello, PROTOCOL_VERSION, SessionChoice, Welcome, decode_body, write_control};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

#[cfg(feature = "embedded")]
use crate::embedded::Embedded;
use crate::error::{Error, Reason, Result, cannot_connect};
use crate::inbox::{goodbye, not_the_protocol, protocol};
use crate::options::Settings;
use crate::request::Limits;
use crate::session::Entry;

/// A server's socket, and the server's epoch once it was reached.
#[derive(Debug)]
pub(crate) struct Endpoint {
    path: PathBuf,
    pub(crate) settings: Settings,
    epoch: OnceLock<u64>,
    /// Another server has taken its place: it will not come back.
    is_gone: AtomicBool,
    /// A server that must run for as long as there is a proxy.
    #[cfg(feature = "embedded")]
    _embedded: Option<Embedded>,
}

impl Endpoint {
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Self {
        Self {
            path,
            settings,
            epoch: OnceLock::new(),
            is_gone: AtomicBool::new(false),
            #[cfg(feature = "embedded")]
            _embedded: None,
        }
    }

    #[cfg(feature = "embedded")]
    pub(crate) fn of_embedded(embedded: Embedded, settings: Settings) -> Self {
        let path = embedded.socket().to_owned();
        Self { _embedded: Some(embedded), ..Self::new(path, settings) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The epoch of the server that was reached first.
    pub(crate) fn epoch(&self) -> u64 {
        *self.epoch.get().expect("a manager exists only after its server was reached")
    }

    /// A stream to the server that does not block; `None` if its backlog is full for now.
    pub(crate) fn open(&self) -> Result<Option<UnixStream>> {
        if self.is_gone.load(Ordering::Relaxed) {
            // The other server need not be asked again: it would begin a session each time.
            return Err(self.restarted());
        }
        let server_uid = self.settings.server_uid;
        manager_socket::check_path(&self.path).map_err(|error| cannot_connect(&self.path, error))?;
        if self.path.parent().is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
            return Err(Error::new(Reason::NoServer(self.path.clone())));
        }
        manager_socket::check_directory(&self.path, server_uid).map_err(|error| cannot_connect(&self.path, error))?;
        let Some(stream) = self.connect()? else {
            return Ok(None);
        };
        let found = manager_socket::peer_uid(&stream).map_err(|error| cannot_connect(&self.path, error))?;
        let expected = server_uid.unwrap_or_else(manager_socket::own_uid);
        if found != expected {
            return Err(Error::new(Reason::ForeignServer { path: self.path.clone(), found, expected }));
        }
        Ok(Some(stream))
    }

    fn restarted(&self) -> Error {
        Error::new(Reason::Restarted(self.path.clone()))
    }

    fn connect(&self) -> Result<Option<UnixStream>> {
        use rustix::io::Errno;
        let connected = || -> rustix::io::Result<UnixStream> {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            let address = SocketAddrUnix::new(&self.path)?;
            while let Err(error) = rustix::net::connect(&socket, &address) {
                if error != Errno::INTR {
                    return Err(error);
                }
            }
            Ok(socket.into())
        };
        match connected() {
            Ok(stream) => Ok(Some(stream)),
            Err(Errno::AGAIN) => Ok(None),
            Err(Errno::CONNREFUSED) if self.path.metadata().is_ok_and(|found| !found.file_type().is_socket()) => {
                Err(cannot_connect(&self.path, "what is there is not a socket"))
            }
            Err(error @ (Errno::NOENT | Errno::CONNREFUSED)) => {
                Err(Error::with_source(Reason::NoServer(self.path.clone()), io::Error::from(error)))
            }
            Err(error) => Err(cannot_connect(&self.path, io::Error::from(error))),
        }
    }

    /// Judges the server's answer to the hello, which was about a session.
    pub(crate) fn admit(&self, answer: Frame<'_>, entry: &mut Entry<'_>) -> Result<Limits> {
        if answer.kind == FrameKind::Goodbye {
            let error = goodbye(answer);
            if entry.joins() && error.is_session_goodbye() {
                entry.expire();
                return Err(Error::new(Reason::SessionExpired).because(error));
            }
            return Err(error);
        }
        if answer.kind != FrameKind::Welcome {
            return Err(protocol("an answer to the hello that is neither a welcome nor a goodbye"));
        }
        let welcome: Welcome = decode_body(answer.kind, answer.body).map_err(not_the_protocol)?;
        if welcome.protocol != PROTOCOL_VERSION {
            return Err(protocol("a version of the protocol that this client does not speak"));
        }
        if *self.epoch.get_or_init(|| welcome.epoch) != welcome.epoch {
            self.is_gone.store(true, Ordering::Relaxed);
            return Err(self.restarted());
        }
        entry.welcome(welcome.session, welcome.token, welcome.grace_ms)?;
        let size = |claimed: u64| usize::try_from(claimed).unwrap_or(usize::MAX).min(LARGEST_FRAME);
        Ok(Limits {
            frame: size(welcome.max_frame),
            message: usize::try_from(welcome.max_message).unwrap_or(usize::MAX),
        })
    }
}

/// Appends the client's first frame.
pub(crate) fn write_hello(out: &mut Vec<u8>, session: SessionChoice) {
    let client = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned();
    write_control(out, FrameKind::Hello, &Hello { protocol: PROTOCOL_VERSION, client, session });
}

/// The length of a frame is 4 bytes.
const LARGEST_FRAME: usize = u32::MAX as usize;
