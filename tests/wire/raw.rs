//! A client that speaks frames and checks nothing before it sends them.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use manager_protocol::{
    Code, ErrorReply, FrameKind, HEADER_BYTES, Hello, Kind, Lane, ObjectId, OpenLane, Operation, PROTOCOL_VERSION,
    Part, ReplyHeader, SessionChoice, decode_body, decode_value, encode_value, finish_frame, manager, split_frame,
    start_frame, write_control, write_part, write_request_header,
};

/// A connection to a server.
pub(crate) struct Raw {
    stream: UnixStream,
    buffer: Vec<u8>,
}

/// One frame, as it came.
pub(crate) type RawFrame = (FrameKind, Vec<u8>);

/// A reply: the object's version and the result, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) version: u64,
    pub(crate) result: Vec<u8>,
}

impl Raw {
    /// A connection that has said nothing.
    pub(crate) fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// A connection that was welcomed.
    pub(crate) fn greeted(socket: &Path) -> Self {
        Self::greeted_in(socket, SessionChoice::Own)
    }

    /// A connection that was welcomed, in some session.
    pub(crate) fn greeted_in(socket: &Path, session: SessionChoice) -> Self {
        let mut raw = Self::connect(socket);
        raw.send(&hello_in(session));
        assert_eq!(raw.receive().map(|frame| frame.0), Some(FrameKind::Welcome));
        raw
    }

    /// Asks for a lane: what the server says, and the memory if there is some.
    pub(crate) fn open_lane(&mut self) -> (Lane, Option<OwnedFd>) {
        let mut ask = Vec::new();
        write_control(&mut ask, FrameKind::OpenLane, &OpenLane());
        self.send(&ask);
        let mut room = [0; 64];
        let (count, memory) = manager_lane::receive(&self.stream, &mut room).unwrap();
        self.buffer.extend(&room[..count]);
        let (kind, body) = self.receive().expect("the server answers");
        assert_eq!(kind, FrameKind::Lane);
        (decode_body(kind, &body).unwrap(), memory)
    }

    /// Another handle of the stream, to be written to by another thread.
    pub(crate) fn writer(&self) -> UnixStream {
        self.stream.try_clone().unwrap()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends nothing any more; what was asked for can still be received.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next frame, or nothing if the server has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<RawFrame> {
        loop {
            if let Some((frame, used)) = split_frame(&self.buffer, 1 << 30).unwrap() {
                let frame = (frame.kind, frame.body.to_vec());
                self.buffer.drain(..used);
                return Some(frame);
            }
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the server says nothing: {error}"),
            }
        }
    }

    /// Everything that comes until the server closes the connection.
    pub(crate) fn receive_all(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.buffer);
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            // A server that closed without having read everything.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("the server does not close the connection: {error}"),
        }
    }

    /// Sends a request and takes what it is answered with: a reply, whole, or a refusal.
    pub(crate) fn ask(&mut self, frame: &[u8]) -> Result<Reply, ErrorReply> {
        self.send(frame);
        self.answer().1
    }

    /// The next answer and its request's id; parts are put together, so long as those of one only come.
    pub(crate) fn answer(&mut self) -> (u64, Result<Reply, ErrorReply>) {
        let mut content = Vec::new();
        loop {
            let (kind, body) = self.receive().expect("the server answers");
            match kind {
                FrameKind::Reply => return reply(&body),
                FrameKind::Error => {
                    let error: ErrorReply = decode_body(kind, &body).unwrap();
                    return (error.id, Err(error));
                }
                FrameKind::ReplyPart => {
                    let part: Part<'_> = decode_body(kind, &body).unwrap();
                    content.extend(part.bytes);
                    if part.last {
                        assert_eq!(content[0], FrameKind::Reply as u8);
                        return reply(&content[1..]);
                    }
                }
                FrameKind::Held => {}
                FrameKind::Hello
                | FrameKind::Request
                | FrameKind::RequestPart
                | FrameKind::Cancel
                | FrameKind::Acknowledge
                | FrameKind::Leave
                | FrameKind::OpenLane
                | FrameKind::WakeServer
                | FrameKind::Lane
                | FrameKind::WakeClient
                | FrameKind::Welcome
                | FrameKind::Goodbye => panic!("a {kind:?} is no answer"),
            }
        }
    }

    /// Carries an operation out that must be answered.
    #[track_caller]
    pub(crate) fn call<O: Operation>(&mut self, object: ObjectId, operation: O) -> Reply {
        let name = O::ROW.name;
        self.ask(&request(CALL, object, operation)).unwrap_or_else(|error| panic!("{name}: {}", error.message))
    }

    /// The number of a named object, made if there is none.
    pub(crate) fn open(&mut self, name: &str, kind: Kind) -> ObjectId {
        decode_value(&self.call(0, manager::Open { name: Some(name), kind }).result).unwrap()
    }

    #[track_caller]
    pub(crate) fn ping(&mut self) {
        self.call(0, manager::Ping {});
    }
}

fn reply(body: &[u8]) -> (u64, Result<Reply, ErrorReply>) {
    let header = ReplyHeader::parse(body).unwrap();
    (header.id, Ok(Reply { version: header.version, result: header.result.to_vec() }))
}

/// The first frame of a connection.
pub(crate) fn hello() -> Vec<u8> {
    hello_in(SessionChoice::Own)
}

fn hello_in(session: SessionChoice) -> Vec<u8> {
    let mut out = Vec::new();
    let hello = Hello { protocol: PROTOCOL_VERSION, client: "raw".into(), session };
    write_control(&mut out, FrameKind::Hello, &hello);
    out
}

/// The frame of a request.
pub(crate) fn request<O: Operation>(id: u64, object: ObjectId, operation: O) -> Vec<u8> {
    let mut arguments = Vec::new();
    operation.encode(&mut arguments);
    request_of(id, O::ROW.number, object, &arguments)
}

/// The frame of a request that need not make sense.
pub(crate) fn request_of(id: u64, operation: u16, object: ObjectId, arguments: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let start = start_frame(&mut out, FrameKind::Request);
    write_request_header(&mut out, id, operation, object);
    out.extend(arguments);
    finish_frame(&mut out, start);
    out
}

/// The same request in parts of so many bytes each.
pub(crate) fn in_parts(id: u64, frame: &[u8], size: usize) -> Vec<Vec<u8>> {
    let pieces = frame[HEADER_BYTES..].chunks(size);
    let count = pieces.len();
    pieces
        .enumerate()
        .map(|(nth, bytes)| {
            let mut out = Vec::new();
            write_part(&mut out, FrameKind::RequestPart, &Part { id, last: nth + 1 == count, bytes });
            out
        })
        .collect()
}

/// A value, encoded.
pub(crate) fn encoded<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    encode_value(value).unwrap()
}

/// The code of a refusal.
pub(crate) fn code(error: &ErrorReply) -> Code {
    Code::from_number(error.code).expect("a code that this version knows")
}

/// The id of what `call` sends.
const CALL: u64 = 1_000_000;

/// Longer than anything takes, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(30);
