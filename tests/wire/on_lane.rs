//! A client with a lane that is a socket, a piece of memory and nothing else.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use manager_lane::ClientEnd;
use manager_protocol::{
    Code, Frame, FrameKind, Goodbye, ReplyHeader, SessionChoice, Wake, decode_body, split_frame, write_control,
};
use manager_server::Config;

use crate::raw::Raw;

/// A client with a lane, which does by it whatever it likes.
pub(crate) struct OnLane {
    pub(crate) raw: Raw,
    pub(crate) lane: ClientEnd,
    pub(crate) memory: File,
    buffer: Vec<u8>,
}

pub(crate) fn wake() -> Vec<u8> {
    control(FrameKind::WakeServer, &Wake())
}

pub(crate) fn control<T: serde::Serialize>(kind: FrameKind, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    write_control(&mut out, kind, value);
    out
}

pub(crate) fn eager(config: &mut Config) {
    config.eager_lanes = true;
}

impl OnLane {
    pub(crate) fn open(socket: &Path) -> Self {
        Self::open_in(socket, SessionChoice::Own)
    }

    pub(crate) fn open_in(socket: &Path, session: SessionChoice) -> Self {
        let mut raw = Raw::greeted_in(socket, session);
        let (offer, memory) = raw.open_lane();
        let Some(memory) = memory else {
            // Those of clients that were cut off just now are not free yet.
            drop(raw);
            std::thread::yield_now();
            return Self::open_in(socket, session);
        };
        let lane = ClientEnd::open(&memory, offer.request_slots as usize, offer.reply_slots as usize).unwrap();
        raw.send(&wake());
        Self { raw, lane, memory: memory.into(), buffer: Vec::new() }
    }

    /// Writes by the lane.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let written = self.lane.requests.write(bytes).unwrap();
            bytes = &bytes[written..];
            if written > 0 && self.lane.must_wake_server() {
                self.raw.send(&wake());
            }
            std::thread::yield_now();
        }
    }

    /// The next frame by the lane.
    fn read(&mut self) -> (FrameKind, Vec<u8>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((Frame { kind, body }, used)) = split_frame(&self.buffer, 1 << 20).unwrap() {
                let frame = (kind, body.to_vec());
                self.buffer.drain(..used);
                return frame;
            }
            let mut room = [0; 4096];
            let read = self.lane.replies.read(&mut room).unwrap();
            self.buffer.extend(&room[..read]);
            assert!(Instant::now() < deadline, "no answer comes by the lane");
            std::thread::yield_now();
        }
    }

    pub(crate) fn answer(&mut self) -> (u64, Vec<u8>) {
        let (kind, body) = self.read();
        assert_eq!(kind, FrameKind::Reply);
        let reply = ReplyHeader::parse(&body).unwrap();
        (reply.id, reply.result.to_vec())
    }

    /// Why the server ended the connection.
    pub(crate) fn goodbye(&mut self) -> Option<Code> {
        while let Some((kind, body)) = self.raw.receive() {
            if kind == FrameKind::Goodbye {
                return Code::from_number(decode_body::<Goodbye>(kind, &body).unwrap().code);
            }
            assert_eq!(kind, FrameKind::WakeClient);
        }
        None
    }
}

/// Longer than anything takes, shorter than anybody waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
