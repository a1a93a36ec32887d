//! A link to a core in the same process: everything between a proxy and an object, without a socket.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use manager_client::{Answer, DirectLink, Error, Link, Manager, Result, Target};
use manager_protocol::{
    Assembly, Code, ErrorReply, Frame, FrameKind, HEADER_BYTES, Part, ReplyHeader, RequestHeader, Row, SessionChoice,
    SessionToken, decode_body, split_frame, write_request_header,
};
use manager_server::core::{Client, Core, Limits, Mail, Outcome, Pace, Stream, Time};

/// A link whose requests are dispatched by the calling thread.
///
/// A request is tried at [`Pace::Inline`] and, if that postpones it, at [`Pace::Patient`], as a
/// connection does it. Each reply is taken apart as a client would, and checked on the way: it has
/// the request's id, and no frame is over the limit.
#[derive(Debug, Clone)]
pub struct InProcess {
    shared: Arc<Shared>,
    pace: Pace,
    timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    core: Core,
    client: Client,
    /// The core's time is counted from here.
    started: Instant,
    limits: Limits,
    next_id: AtomicU64,
    /// Replies to requests that have waited, by the request.
    late: Mutex<HashMap<u64, Vec<u8>>>,
    postponed: AtomicU64,
    parts: AtomicU64,
}

impl InProcess {
    /// A link to a core of its own.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let core = Core::new(limits.clone());
        let client = core.connect(0, SessionChoice::New(true), SessionToken([0; 16])).unwrap();
        let shared = Shared {
            core,
            client,
            started: Instant::now(),
            limits,
            next_id: AtomicU64::new(1),
            late: Mutex::default(),
            postponed: AtomicU64::new(0),
            parts: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), pace: Pace::Inline, timeout: Duration::from_secs(30) }
    }

    /// The same link, which dispatches at this pace first.
    #[must_use]
    pub fn at_pace(&self, pace: Pace) -> Self {
        Self { pace, ..self.clone() }
    }

    /// A manager over this link.
    #[must_use]
    pub fn manager(&self) -> Manager<Self> {
        Manager::over(self.clone())
    }

    /// How many requests were postponed.
    #[must_use]
    pub fn postponed(&self) -> u64 {
        self.shared.postponed.load(Ordering::Relaxed)
    }

    /// How many parts of replies there were that did not fit one frame.
    #[must_use]
    pub fn parts(&self) -> u64 {
        self.shared.parts.load(Ordering::Relaxed)
    }

    /// Dispatches a request; the kind and the body of the whole reply.
    fn exchange(&self, request: RequestHeader<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut outcome = self.dispatch(request, self.pace, &mut out);
        if matches!(outcome, Outcome::Postponed) {
            assert_eq!(self.pace, Pace::Inline, "a patient request was postponed");
            assert!(out.is_empty(), "a postponed request wrote something");
            self.shared.postponed.fetch_add(1, Ordering::Relaxed);
            outcome = self.dispatch(request, Pace::Patient, &mut out);
        }
        match outcome {
            Outcome::Replied => self.one_frame(&out),
            Outcome::Streaming(stream) => {
                assert!(out.is_empty(), "a reply in parts wrote something else");
                self.assemble(request.id, stream)
            }
            Outcome::Waiting => self.wait(request.id),
            Outcome::Postponed => panic!("a patient request was postponed"),
        }
    }

    fn dispatch(&self, request: RequestHeader<'_>, pace: Pace, out: &mut Vec<u8>) -> Outcome {
        self.shared.core.dispatch(&self.shared.client, request, pace, self.now(), out)
    }

    fn now(&self) -> Time {
        self.shared.started.elapsed()
    }

    /// Looks for the late reply to a request until it is there, as a server's clock does beside.
    fn wait(&self, id: u64) -> Vec<u8> {
        loop {
            self.shared.core.expire(self.now());
            let mut letters = Vec::new();
            let mut late = self.shared.late.lock().unwrap();
            let Mail { streams, ending, .. } = self.shared.client.mailbox().collect(&mut letters);
            assert_eq!(ending, None);
            let mut rest = letters.as_slice();
            while let Some((_, used)) = split_frame(rest, self.shared.limits.max_frame).unwrap() {
                let content = self.one_frame(&rest[..used]);
                let answered = match Frame::from_content(&content).unwrap() {
                    Frame { kind: FrameKind::Error, body } => {
                        decode_body::<ErrorReply>(FrameKind::Error, body).unwrap().id
                    }
                    Frame { body, .. } => ReplyHeader::parse(body).unwrap().id,
                };
                late.insert(answered, content);
                rest = &rest[used..];
            }
            for stream in streams {
                late.insert(stream.id(), self.assemble(stream.id(), stream));
            }
            if let Some(content) = late.remove(&id) {
                return content;
            }
            drop(late);
            std::thread::yield_now();
        }
    }

    /// The content of a reply that comes in parts.
    fn assemble(&self, id: u64, mut stream: Stream) -> Vec<u8> {
        let mut assembly = Assembly::new(self.shared.limits.max_message);
        let mut out = Vec::new();
        loop {
            out.clear();
            let more = stream.next_part(&mut out);
            let content = self.one_frame(&out);
            let frame = Frame::from_content(&content).unwrap();
            assert_eq!(frame.kind, FrameKind::ReplyPart);
            let part: Part<'_> = decode_body(frame.kind, frame.body).unwrap();
            assert_eq!((part.id, part.last), (id, !more));
            assembly.push(part.bytes).unwrap();
            self.shared.parts.fetch_add(1, Ordering::Relaxed);
            if !more {
                return assembly.into_content();
            }
        }
    }

    /// The content of what must be exactly one frame within the limit. What the session holds by it may be
    /// told in front: it is held as long as the session is there.
    fn one_frame(&self, bytes: &[u8]) -> Vec<u8> {
        let (frame, used) = split_frame(bytes, self.shared.limits.max_frame).unwrap().expect("a whole frame");
        if frame.kind == FrameKind::Held {
            return self.one_frame(&bytes[used..]);
        }
        assert_eq!(used, bytes.len(), "more than one frame");
        bytes[HEADER_BYTES..].to_vec()
    }
}

impl Link for InProcess {
    type Wait<'a, T: 'a> = Result<T>;

    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let mut body = Vec::new();
        write_request_header(&mut body, id, row.number, target.object());
        encode(&mut body);
        let reply = self.exchange(RequestHeader::parse(&body).unwrap());
        let frame = Frame::from_content(&reply).unwrap();
        let answered = if frame.kind == FrameKind::Error {
            let refusal: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
            assert_eq!(refusal.id, id);
            let code = Code::from_number(refusal.code).expect("the server is of this version");
            Err(Error::from(manager_protocol::Error::new(code, refusal.message)))
        } else {
            assert_eq!(frame.kind, FrameKind::Reply);
            let header = ReplyHeader::parse(frame.body).unwrap();
            assert_eq!(header.id, id);
            Answer::new(header.version, header.result).over(self, decode)
        };
        answered.map_err(|error| error.during(row, target))
    }

    fn fail<'a, T: 'a>(&'a self, error: Error) -> Result<T> {
        Err(error)
    }

    fn epoch(&self) -> u64 {
        self.shared.core.epoch()
    }
}

impl DirectLink for InProcess {
    fn future<'a, T: Send + 'a>(wait: Result<T>) -> impl Future<Output = Result<T>> + Send + 'a {
        ready(wait)
    }

    fn run<'a, T: 'a>(work: impl Future<Output = Result<T>> + Send + 'a) -> Result<T> {
        crate::wait::block_on(work)
    }

    fn pause(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::thread::yield_now();
        ready(())
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    fn holder(&self) -> u64 {
        thread_number()
    }

    fn reentrant_holder(&self) -> u64 {
        thread_number()
    }

    fn insist(
        &self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> impl Future<Output = Result<()>> + Send {
        ready(self.call(target, row, encode, |_| Ok(())))
    }

    fn detach(&self, target: &Target, row: Row, encode: impl FnOnce(&mut Vec<u8>)) {
        let _ = self.call(target, row, encode, |_| Ok(()));
    }

    fn era(&self) -> u64 {
        0
    }
}

fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
