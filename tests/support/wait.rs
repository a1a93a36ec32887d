//! Writes a test once for every way to reach a server.

use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use manager_client::{DirectLink, Result};
use tokio::runtime::Runtime;

/// The runtime that the async clients of all tests live in.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Waits for a future, on a runtime if it is not ready at once.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let _entered = RUNTIME.enter();
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => RUNTIME.block_on(future),
    }
}

/// Waits for a call over any link.
///
/// # Errors
/// If the call fails.
pub fn wait<'a, L: DirectLink, T: Send + 'a>(call: L::Wait<'a, T>) -> Result<T> {
    block_on(L::future(call))
}

/// Runs a check over each link: the plain core, and a server by the blocking and the async client.
///
/// The check is a function that is generic over the link and takes a manager: it sees each time a
/// server without objects.
#[macro_export]
macro_rules! over_every_link {
    ($check:ident) => {{
        $check(&$crate::InProcess::new(Default::default()).manager());
        let server = $crate::server();
        $check(&server.manager());
        let server = $crate::server();
        $check(&*$crate::block_on(server.aio()));
    }};
}
