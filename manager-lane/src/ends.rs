//! The two ends of a lane.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::memory::{MAX_SLOTS, Memory};
use crate::ring::{Place, Reader, SLOT_WORDS, Sight, Writer};
use crate::sync::{AtomicU64, fence};

/// The server's end.
#[derive(Debug)]
pub struct ServerEnd {
    /// What the client asks.
    pub requests: Reader,
    /// What it is answered.
    pub replies: Writer,
    flags: Flags,
}

/// The client's end.
#[derive(Debug)]
pub struct ClientEnd {
    /// What the server is asked.
    pub requests: Writer,
    /// What it answers.
    pub replies: Reader,
    flags: Flags,
}

impl ServerEnd {
    /// A new lane, and the descriptor by which the client gets it. The server is taken to be asleep.
    ///
    /// # Errors
    /// If the system has no such memory, or the sizes are not powers of two up to [`MAX_SLOTS`].
    pub fn create(request_slots: usize, reply_slots: usize) -> io::Result<(Self, OwnedFd)> {
        let layout = Layout::new(request_slots, reply_slots)?;
        let (memory, descriptor) = Memory::create(layout.bytes)?;
        let memory = Arc::new(memory);
        let flags = Flags(Arc::clone(&memory));
        flags.word(SERVER_ASLEEP).store(1, Ordering::Relaxed);
        let requests = Reader::new(Arc::clone(&memory), layout.requests);
        Ok((Self { requests, replies: Writer::new(memory, layout.replies), flags }, descriptor))
    }

    /// Who looks for requests, and says so to the client.
    #[must_use]
    pub fn looker(&self) -> Looker {
        Looker { sight: self.requests.sight(), flags: Flags(Arc::clone(&self.flags.0)) }
    }

    /// To be asked after something was written: whether the client must be woken over the socket. True once for each
    /// time that it sleeps.
    #[must_use]
    pub fn must_wake_client(&self) -> bool {
        self.flags.sees_asleep(CLIENT_ASLEEP) && self.flags.word(CLIENT_ASLEEP).swap(0, Ordering::Relaxed) != 0
    }
}

/// Who looks for the requests of one client, and tells the client whether it does. It reads nothing.
#[derive(Debug)]
pub struct Looker {
    sight: Sight,
    flags: Flags,
}

impl Looker {
    /// Whether there is a request that nobody has begun to read, or an error to be told.
    #[inline]
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.sight.has_more()
    }

    /// Says that requests are looked for from now on, from this CPU.
    pub fn rise(&self, cpu: Option<usize>) {
        self.tell_cpu(cpu);
        self.flags.word(SERVER_ASLEEP).store(0, Ordering::Release);
    }

    /// Says from which CPU requests are looked for, now or when something comes by the socket.
    pub fn tell_cpu(&self, cpu: Option<usize>) {
        self.flags.word(SERVER_CPU).store(cpu.map_or(0, |cpu| cpu as u64 + 1), Ordering::Relaxed);
    }

    /// Says that requests are not looked for any more. If there is one already: true.
    ///
    /// Once it was said, a client that writes a request wakes the server over the socket.
    pub fn doze(&self) -> bool {
        self.flags.set_asleep(SERVER_ASLEEP);
        self.sight.has_more()
    }
}

impl ClientEnd {
    /// The lane that a server has passed, with the sizes that it told.
    ///
    /// # Errors
    /// If the sizes are not allowed, or the memory is not of that size or not sealed, or cannot be mapped.
    pub fn open(descriptor: &OwnedFd, request_slots: usize, reply_slots: usize) -> io::Result<Self> {
        let layout = Layout::new(request_slots, reply_slots)?;
        Ok(Self::over(Arc::new(Memory::open(descriptor, layout.bytes)?), layout))
    }

    /// The other end of a lane in this process.
    #[cfg(any(feature = "shuttle", feature = "loom"))]
    #[must_use]
    pub fn of(server: &ServerEnd, request_slots: usize, reply_slots: usize) -> Self {
        let layout = Layout::new(request_slots, reply_slots).expect("the sizes of the server's end");
        Self::over(Arc::clone(&server.flags.0), layout)
    }

    fn over(memory: Arc<Memory>, layout: Layout) -> Self {
        let flags = Flags(Arc::clone(&memory));
        let requests = Writer::new(Arc::clone(&memory), layout.requests);
        Self { requests, replies: Reader::new(memory, layout.replies), flags }
    }

    /// Whether the server looked for requests a moment ago. What is written may have to be told all the same.
    #[inline]
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.flags.word(SERVER_ASLEEP).load(Ordering::Relaxed) == 0
    }

    /// To be asked after something was written: whether the server must be woken over the socket.
    #[inline]
    #[must_use]
    pub fn must_wake_server(&self) -> bool {
        self.flags.sees_asleep(SERVER_ASLEEP)
    }

    /// The CPU that the server looks from, or will again when something comes, if it is known.
    #[must_use]
    pub fn server_cpu(&self) -> Option<usize> {
        usize::try_from(self.flags.word(SERVER_CPU).load(Ordering::Relaxed)).ok()?.checked_sub(1)
    }

    /// Says that replies are not looked for any more, unless there is one: then false, and nothing was said.
    ///
    /// Once it was said, the server wakes the client over the socket when it has written a reply.
    pub fn doze(&mut self) -> bool {
        self.flags.set_asleep(CLIENT_ASLEEP);
        let has_more = self.replies.has_more();
        if has_more {
            self.rise();
        }
        !has_more
    }

    /// Says that replies are looked for again.
    pub fn rise(&self) {
        self.flags.word(CLIENT_ASLEEP).store(0, Ordering::Relaxed);
    }
}

/// The words by which the ends tell each other whether they look.
///
/// Who goes to sleep sets its flag and then looks into the ring once more; who writes into the ring looks at the flag
/// afterwards. Between the two steps of each is a fence, so that not both can miss what the other did first.
#[derive(Debug)]
struct Flags(Arc<Memory>);

impl Flags {
    #[inline]
    fn word(&self, place: usize) -> &AtomicU64 {
        &self.0.words()[place]
    }

    /// To be followed by a look into the ring.
    fn set_asleep(&self, flag: usize) {
        self.word(flag).store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// To be asked after a ring was written into.
    #[inline]
    fn sees_asleep(&self, flag: usize) -> bool {
        fence(Ordering::SeqCst);
        self.word(flag).load(Ordering::Relaxed) != 0
    }
}

/// Where everything is, in words.
#[derive(Debug, Clone, Copy)]
struct Layout {
    requests: Place,
    replies: Place,
    bytes: usize,
}

impl Layout {
    fn new(request_slots: usize, reply_slots: usize) -> io::Result<Self> {
        for slots in [request_slots, reply_slots] {
            if !slots.is_power_of_two() || slots > MAX_SLOTS {
                let fault = format!("a ring of {slots} slots, not a power of two up to {MAX_SLOTS}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, fault));
            }
        }
        let replies = FIRST_SLOT + request_slots * SLOT_WORDS;
        let end = replies + reply_slots * SLOT_WORDS;
        Ok(Self {
            requests: Place { taken: REQUESTS_TAKEN, first: FIRST_SLOT, slots: request_slots as u64 },
            replies: Place { taken: REPLIES_TAKEN, first: replies, slots: reply_slots as u64 },
            bytes: end * size_of::<u64>(),
        })
    }
}

/// Words between two that different sides write: those of a cache line.
const LINE: usize = 8;

const REQUESTS_TAKEN: usize = 0;
const REPLIES_TAKEN: usize = LINE;
const SERVER_ASLEEP: usize = 2 * LINE;
const CLIENT_ASLEEP: usize = 3 * LINE;
const SERVER_CPU: usize = 4 * LINE;

/// Behind the first page.
#[cfg(not(any(feature = "shuttle", feature = "loom")))]
const FIRST_SLOT: usize = 4096 / size_of::<u64>();
/// Right behind the control words: a model of memory has enough to do with what is used.
#[cfg(any(feature = "shuttle", feature = "loom"))]
const FIRST_SLOT: usize = SERVER_CPU + LINE;

#[cfg(all(test, not(any(feature = "shuttle", feature = "loom"))))]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_is_woken_once() {
        let (server, descriptor) = ServerEnd::create(16, 16).unwrap();
        let mut client = ClientEnd::open(&descriptor, 16, 16).unwrap();
        let looker = server.looker();
        assert!(!client.is_served() && client.must_wake_server(), "the server has not begun to look");
        looker.rise(Some(3));
        assert!(client.is_served() && !client.must_wake_server());
        assert_eq!(client.server_cpu(), Some(3));

        assert!(!server.must_wake_client());
        assert!(client.doze());
        assert!(server.must_wake_client() && !server.must_wake_client());
        assert!(client.doze());
        client.rise();
        assert!(!server.must_wake_client());
    }

    #[test]
    fn nobody_goes_to_sleep_over_something_unread() {
        let (mut server, descriptor) = ServerEnd::create(16, 16).unwrap();
        let mut client = ClientEnd::open(&descriptor, 16, 16).unwrap();
        let looker = server.looker();
        looker.rise(None);
        assert!(!looker.has_request());
        assert_eq!(client.requests.write(b"get"), Ok(3));
        assert!(looker.has_request() && looker.doze() && !client.is_served());
        let mut read = [0; 8];
        assert_eq!(server.requests.read(&mut read), Ok(3));
        assert!(!looker.has_request() && !looker.doze());
        assert_eq!(server.replies.write(b"got"), Ok(3));
        assert!(!client.doze() && !server.must_wake_client());
    }

    #[test]
    fn sizes_are_bounded() {
        for (requests, replies) in [(0, 16), (16, 0), (12, 16), (16, MAX_SLOTS * 2)] {
            let error = ServerEnd::create(requests, replies).unwrap_err();
            assert!(error.to_string().contains("not a power of two"), "{error}");
        }
        let (_server, descriptor) = ServerEnd::create(16, 16).unwrap();
        ClientEnd::open(&descriptor, 16, 32).unwrap_err();
    }
}
