//! A raw client, a daemon that is ended on drop, and waiting for a condition.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared by tests, each of which uses its own part")]

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use manager_protocol::{
    Assembly, Code, ErrorReply, Frame, FrameKind, Goodbye, Hello, Operation, PROTOCOL_VERSION, Part, ReplyHeader,
    SessionChoice, decode_body, finish_frame, split_frame, start_frame, write_control, write_request_header,
};

/// A client that speaks frames and checks nothing.
pub struct Raw {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Raw {
    /// A connection that has said nothing.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// A connection that was welcomed.
    pub fn greeted(socket: &Path) -> io::Result<Self> {
        let mut raw = Self::connect(socket)?;
        raw.send(&hello(PROTOCOL_VERSION))?;
        match raw.receive()? {
            Some((FrameKind::Welcome, _)) => Ok(raw),
            other => Err(io::Error::other(format!("instead of a welcome: {other:?}"))),
        }
    }

    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits until something can be received, and leaves it there.
    pub fn wait_for_bytes(&self) {
        let mut poll = [rustix::event::PollFd::new(&self.stream, rustix::event::PollFlags::IN)];
        eventually("bytes arrive", || (rustix::event::poll(&mut poll, None) == Ok(1)).then_some(()));
    }

    /// The next frame, or nothing if the server has closed the connection.
    pub fn receive(&mut self) -> io::Result<Option<(FrameKind, Vec<u8>)>> {
        loop {
            if let Some((frame, used)) = split_frame(&self.buffer, 1 << 30).map_err(io::Error::other)? {
                let frame = (frame.kind, frame.body.to_vec());
                self.buffer.drain(..used);
                return Ok(Some(frame));
            }
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => self.buffer.extend(&chunk[..count]),
                // A read with a timeout is not resumed by the system after a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends an operation and takes its reply: the result, encoded.
    pub fn call<O: Operation>(&mut self, id: u64, object: u64, operation: O) -> io::Result<Vec<u8>> {
        self.send(&request(id, object, operation))?;
        let reply = self.receive()?;
        let Some((FrameKind::Reply, body)) = &reply else {
            return Err(io::Error::other(format!("instead of a reply: {reply:?}")));
        };
        let header = ReplyHeader::parse(body).map_err(io::Error::other)?;
        assert_eq!(header.id, id);
        Ok(header.result.to_vec())
    }

    pub fn ping(&mut self, id: u64) -> io::Result<()> {
        self.call(id, 0, manager_protocol::manager::Ping {}).map(drop)
    }

    /// The number of a named object of this kind.
    pub fn open(&mut self, name: &str, kind: manager_protocol::Kind) -> u64 {
        let result = self.call(0, 0, manager_protocol::manager::Open { name: Some(name), kind }).unwrap();
        manager_protocol::decode_value(&result).unwrap()
    }

    /// Takes the last frame and sees that the connection ends behind it.
    pub fn goodbye(&mut self) -> Goodbye {
        let frame = self.receive().unwrap();
        let Some((FrameKind::Goodbye, body)) = &frame else { panic!("instead of a goodbye: {frame:?}") };
        let goodbye = decode_body(FrameKind::Goodbye, body).unwrap();
        assert!(matches!(self.receive(), Ok(None) | Err(_)), "something follows a goodbye");
        goodbye
    }

    #[track_caller]
    pub fn expect_goodbye(&mut self, code: Code) {
        let goodbye = self.goodbye();
        assert_eq!(Code::from_number(goodbye.code), Some(code), "{}", goodbye.message);
    }

    pub fn error_reply(&mut self) -> ErrorReply {
        let frame = self.receive().unwrap();
        let Some((FrameKind::Error, body)) = &frame else { panic!("instead of an error: {:?}", frame.map(|f| f.0)) };
        decode_body(FrameKind::Error, body).unwrap()
    }
}

pub fn hello(protocol: u16) -> Vec<u8> {
    let mut out = Vec::new();
    write_control(&mut out, FrameKind::Hello, &Hello { protocol, client: "raw".into(), session: SessionChoice::Own });
    out
}

pub fn request<O: Operation>(id: u64, object: u64, operation: O) -> Vec<u8> {
    let mut out = Vec::new();
    let start = start_frame(&mut out, FrameKind::Request);
    write_request_header(&mut out, id, O::ROW.number, object);
    operation.encode(&mut out);
    finish_frame(&mut out, start);
    out
}

/// The id of a reply in one frame.
pub fn reply_id(frame: &(FrameKind, Vec<u8>)) -> u64 {
    assert_eq!(frame.0, FrameKind::Reply);
    ReplyHeader::parse(&frame.1).unwrap().id
}

/// Adds a part to what has arrived of a reply; the whole once it is there.
pub fn add_part(assembly: &mut Option<Assembly>, body: &[u8]) -> (u64, Option<Vec<u8>>) {
    let part: Part<'_> = decode_body(FrameKind::ReplyPart, body).unwrap();
    assembly.get_or_insert_with(|| Assembly::new(1 << 30)).push(part.bytes).unwrap();
    let whole = part.last.then(|| assembly.take().unwrap().into_content());
    if let Some(content) = &whole {
        assert_eq!(Frame::from_content(content).unwrap().kind, FrameKind::Reply);
    }
    (part.id, whole)
}

/// A fresh directory with the path of a socket in it.
pub struct Place {
    pub directory: tempfile::TempDir,
    pub socket: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap();
        let socket = directory.path().join("manager.sock");
        Self { directory, socket }
    }
}

/// The program as a child process, killed on drop.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// A daemon of which nothing is known yet; what it writes is piped.
    pub fn spawn(socket: &Path, arguments: &[&str]) -> Self {
        let child = command()
            .arg("--socket")
            .arg(socket)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    /// A daemon that listens, and the line by which it said so.
    pub fn start(socket: &Path, arguments: &[&str]) -> (Self, String) {
        let mut daemon = Self::spawn(socket, arguments);
        let mut line = String::new();
        BufReader::new(daemon.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the daemon did not start: {}", daemon.wait().1);
        (daemon, line)
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end; the exit code, if it was not killed, and what was written to stderr.
    pub fn wait(&mut self) -> (Option<i32>, String) {
        let status = eventually("the daemon ends", || self.exited());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code(), log)
    }

    /// The next line on stderr; later ones may be lost.
    pub fn log_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        line
    }

    /// How many file descriptors are open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// The memory that is resident, in KiB.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill().is_err();
        self.child.wait().unwrap();
    }
}

/// The program, with nothing from this environment that changes what it does.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manager-server"));
    command.env_remove("RUST_LOG").env_remove("XDG_RUNTIME_DIR");
    command
}

/// Looks again and again until there is something to see.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
