//! A server for tests that does what it is told: it speaks the protocol, or breaks it.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use std::sync::Arc;

use manager_lane::ServerEnd;
use manager_protocol::{
    Code, FrameKind, Goodbye, Hello, Operation, RequestHeader, SessionChoice, SessionToken, Welcome, decode_body,
    finish_frame, manager, split_frame, start_frame, write_control, write_reply_header,
};

/// A socket at which a script answers.
pub(crate) struct Fake {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Fake {
    /// Runs the script for each connection, one after the other, with the connection's number.
    pub(crate) fn start(mut script: impl FnMut(usize, Peer) + Send + 'static) -> Self {
        let (fake, listener) = Self::listening();
        std::thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                script(index, Peer { stream, arrived: Vec::new() });
            }
        });
        fake
    }

    /// Runs the script for each connection in a thread of its own, with the connection's number.
    pub(crate) fn start_parallel(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let script = Arc::new(script);
        Self::start(move |index, peer| {
            let script = script.clone();
            std::thread::spawn(move || script(index, peer));
        })
    }

    /// A socket at which nobody answers, but the listener's holder.
    pub(crate) fn listening() -> (Self, UnixListener) {
        let directory = private_directory();
        let path = directory.path().join("fake.sock");
        let listener = UnixListener::bind(&path).unwrap();
        (Self { path, _directory: directory }, listener)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A directory that only this user can enter: no other is trusted.
pub(crate) fn private_directory() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// The client, as the script sees it.
pub(crate) struct Peer {
    stream: UnixStream,
    arrived: Vec<u8>,
}

impl Peer {
    /// The next client.
    pub(crate) fn accept(listener: &UnixListener) -> Self {
        Self { stream: listener.accept().unwrap().0, arrived: Vec::new() }
    }

    /// Whether something was sent that has not been looked at.
    #[cfg(feature = "aio")]
    pub(crate) fn has_arrived(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let more = self.stream.read(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).unwrap();
        more || !self.arrived.is_empty()
    }

    /// Takes the hello and answers it: a new session is number 1.
    pub(crate) fn greet(&mut self, epoch: u64) {
        self.welcome(epoch, 1);
    }

    /// Takes the hello and answers it; what it asks for. A new session has this number.
    pub(crate) fn welcome(&mut self, epoch: u64, new_session: u64) -> Option<SessionChoice> {
        let choice = self.hello()?;
        let session = match choice {
            SessionChoice::Join(session, _) => session,
            SessionChoice::New(_) | SessionChoice::Own => new_session,
        };
        self.send(&welcome(epoch, session));
        Some(choice)
    }

    /// Takes the hello; what it asks for. `None` if the client is gone.
    pub(crate) fn hello(&mut self) -> Option<SessionChoice> {
        let (kind, body) = self.frame()?;
        Some(decode_body::<Hello>(kind, &body).unwrap().session)
    }

    /// Ends the connection with a reason.
    pub(crate) fn goodbye(mut self, code: Code) {
        let mut out = Vec::new();
        let goodbye = Goodbye { code: code.number(), message: format!("{code:?}") };
        write_control(&mut out, FrameKind::Goodbye, &goodbye);
        self.send(&out);
    }

    /// Gives the client, which has asked for it, a lane.
    pub(crate) fn offer_lane(&mut self) -> ServerEnd {
        let (lane, memory) = ServerEnd::create(16, 16).unwrap();
        let mut out = Vec::new();
        write_control(&mut out, FrameKind::Lane, &manager_protocol::Lane { request_slots: 16, reply_slots: 16 });
        assert_eq!(manager_lane::send(&self.stream, &out, memory.as_fd()).unwrap(), out.len());
        lane
    }

    /// From now on there is no frame also while none has come.
    pub(crate) fn never_block(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
    }

    /// The id of the next request; pings are answered here. `None` if the client is gone.
    pub(crate) fn request(&mut self) -> Option<u64> {
        loop {
            let (kind, body) = self.message()?;
            if kind == FrameKind::Request {
                return Some(RequestHeader::parse(&body).unwrap().id);
            }
        }
    }

    /// The next frame that is not a ping; those are answered here. `None` if the client is gone.
    pub(crate) fn message(&mut self) -> Option<(FrameKind, Vec<u8>)> {
        loop {
            let (kind, body) = self.frame()?;
            if kind != FrameKind::Request {
                return Some((kind, body));
            }
            let header = RequestHeader::parse(&body).unwrap();
            if header.operation != manager::Ping::ROW.number {
                return Some((kind, body));
            }
            self.send(&reply(header.id, &[0xc0]));
        }
    }

    /// The next frame; `None` if the client is gone.
    pub(crate) fn frame(&mut self) -> Option<(FrameKind, Vec<u8>)> {
        loop {
            if let Some((frame, used)) = split_frame(&self.arrived, usize::MAX).unwrap() {
                let taken = (frame.kind, frame.body.to_vec());
                self.arrived.drain(..used);
                return Some(taken);
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.arrived.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// Sends bytes, whatever they are. The client may be gone.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}

/// A welcome to a session of a server with this epoch.
pub(crate) fn welcome(epoch: u64, session: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let welcome = Welcome {
        protocol: 1,
        server: "fake".into(),
        epoch,
        max_frame: 1 << 16,
        max_message: 1 << 20,
        session,
        token: Some(SessionToken([7; 16])),
        grace_ms: 10_000,
    };
    write_control(&mut out, FrameKind::Welcome, &welcome);
    out
}

/// A reply to a request, with an encoded result.
pub(crate) fn reply(id: u64, result: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let start = start_frame(&mut out, FrameKind::Reply);
    write_reply_header(&mut out, id, 5);
    out.extend_from_slice(result);
    finish_frame(&mut out, start);
    out
}
