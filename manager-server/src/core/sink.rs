//! Where replies are written: into a frame, or into the reply of a transaction.

use manager_protocol::{
    Encode as _, FrameKind, HEADER_BYTES, Many, Sink, finish_frame, start_frame, write_item, write_reply_header,
};
use serde::Serialize;

use super::stream::Stream;

/// A sequence of more items than this is sent in parts, without being encoded as a whole.
const WHOLE_ITEMS: usize = 1024;

/// Appends one reply frame to a connection's buffer.
pub(super) struct FrameSink<'a> {
    id: u64,
    max_frame: usize,
    out: &'a mut Vec<u8>,
    start: usize,
    /// The reply, if it does not fit into one frame.
    pub(super) stream: Option<Stream>,
}

impl<'a> FrameSink<'a> {
    pub(super) fn new(id: u64, max_frame: usize, out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { id, max_frame, out, start, stream: None }
    }

    /// Forgets what was written.
    pub(super) fn rewind(&mut self) {
        self.out.truncate(self.start);
        self.stream = None;
    }

    fn begin(&mut self, version: u64) {
        start_frame(self.out, FrameKind::Reply);
        write_reply_header(self.out, self.id, version);
    }

    fn end(&mut self) {
        if self.out.len() - self.start - HEADER_BYTES <= self.max_frame {
            finish_frame(self.out, self.start);
        } else {
            let content = self.out.split_off(self.start + HEADER_BYTES);
            self.out.truncate(self.start);
            self.stream = Some(Stream::new(self.id, self.max_frame, content, None));
        }
    }
}

impl Sink for FrameSink<'_> {
    fn value<T: Serialize>(&mut self, version: u64, value: &T) {
        self.begin(version);
        write_item(self.out, value);
        self.end();
    }

    fn many<T: Serialize + 'static>(&mut self, version: u64, items: Many<'static, T>) {
        self.begin(version);
        if items.len() <= WHOLE_ITEMS {
            items.encode(self.out);
            return self.end();
        }
        rmp::encode::write_array_len(self.out, items.count_u32()).expect("writing to memory does not fail");
        let head = self.out.split_off(self.start + HEADER_BYTES);
        self.out.truncate(self.start);
        let mut items = items;
        let next = move |out: &mut Vec<u8>| match items.next() {
            Some(item) => {
                write_item(out, &item);
                true
            }
            None => false,
        };
        self.stream = Some(Stream::new(self.id, self.max_frame, head, Some(Box::new(next))));
    }
}

/// Keeps one reply whole.
#[derive(Debug, Default)]
pub(super) struct StepSink {
    pub(super) version: u64,
    pub(super) result: Vec<u8>,
}

impl Sink for StepSink {
    fn value<T: Serialize>(&mut self, version: u64, value: &T) {
        self.version = version;
        write_item(&mut self.result, value);
    }

    fn many<T: Serialize + 'static>(&mut self, version: u64, items: Many<'static, T>) {
        self.version = version;
        items.encode(&mut self.result);
    }
}
