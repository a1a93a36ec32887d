//! What stands between clients and a server, and cuts their connections.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::child::Place;

/// Passes on what clients and a server say to each other, and cuts each connection sooner or later.
pub(crate) struct Cutter {
    place: Place,
    cuts: Arc<AtomicUsize>,
}

/// When a connection is cut.
struct Cut {
    /// After so many bytes to the server, or from it.
    budgets: [usize; 2],
    /// Once nothing was said in one way for so long.
    quiet: Option<Duration>,
}

impl Cutter {
    /// Each connection is cut one byte later than the one before, by turns of those that go to the
    /// server and those that come from it. From `most` on it begins again at no byte. The first gets
    /// half of that, so that there is a session to be resumed.
    pub(crate) fn at_every_byte(server: &Path, most: usize) -> Self {
        Self::start(server, move |turn| Cut { budgets: budgets(turn % 2, (turn + most) / 2 % most), quiet: None })
    }

    /// Each connection is cut after some bytes, fewer than `most`, or some milliseconds of silence: then
    /// whoever waits on it is cut off while it waits.
    pub(crate) fn at_random(server: &Path, seed: u64, most: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        Self::start(server, move |_| Cut {
            budgets: budgets(random.random_range(0..2), random.random_range(0..most)),
            quiet: Some(Duration::from_millis(random.random_range(1..20))),
        })
    }

    fn start(server: &Path, mut next: impl FnMut(usize) -> Cut + Send + 'static) -> Self {
        let (place, server) = (Place::new(), server.to_owned());
        let listener = UnixListener::bind(&place.socket).unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = UnixStream::connect(&server) else { return };
                let cut = next(counted.fetch_add(1, Ordering::Relaxed));
                for (way, (from, to)) in [(&client, &server), (&server, &client)].into_iter().enumerate() {
                    from.set_read_timeout(cut.quiet).unwrap();
                    let (ends, budget) = ((from.try_clone().unwrap(), to.try_clone().unwrap()), cut.budgets[way]);
                    thread::spawn(move || pass(ends, budget));
                }
            }
        });
        Self { place, cuts }
    }

    /// Where clients connect.
    pub(crate) fn socket(&self) -> &Path {
        &self.place.socket
    }

    /// How many connections were made: all but the last few were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

/// So many bytes one way, and any number the other.
fn budgets(way: usize, budget: usize) -> [usize; 2] {
    [0, 1].map(|this| if this == way { budget } else { usize::MAX })
}

/// Passes on so many bytes, then cuts both ways.
fn pass((mut from, mut to): (UnixStream, UnixStream), mut budget: usize) {
    let mut bytes = [0; 4096];
    while budget > 0 {
        let most = bytes.len().min(budget);
        let Ok(count @ 1..) = from.read(&mut bytes[..most]) else { break };
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
        budget -= count;
    }
    // The other side may have done so already.
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
