//! Watches, async.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Subject, Watching, is_passing};
use crate::aio::Async;
use crate::error::Result;
use crate::link::DirectLink;

/// What becomes of an object, as a stream. See [`Watch`](super::Watch).
///
/// Something that is not of the proxy's types is an item that is an [error](crate::Error::is_wrong_type), after
/// which the object is told anew; any other error is the last item.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Stream<S: Subject, L: DirectLink = Async> {
    state: State<S, L>,
    /// What is known and was not told yet.
    updates: VecDeque<S::Update>,
}

enum State<S: Subject, L: DirectLink> {
    Idle(Watching<S, L>),
    Advancing(Advancing<S, L>),
    Over,
}

/// Waits for changes, and gives back who does.
type Advancing<S, L> = Pin<Box<dyn Future<Output = Advanced<S, L>> + Send>>;
type Advanced<S, L> = (Watching<S, L>, Result<Vec<<S as Subject>::Update>>);

// Nothing in it is pinned in place: the future is behind a pointer.
impl<S: Subject, L: DirectLink> Unpin for Stream<S, L> {}

impl<S: Subject + 'static, L: DirectLink> Stream<S, L> {
    pub(super) fn new(watching: Watching<S, L>) -> Self {
        Self { state: State::Idle(watching), updates: VecDeque::new() }
    }

    /// Waits for the next item; `None` after an error that was the last.
    ///
    /// Dropping the future misses nothing, so the time to wait can be limited from outside.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), manager_client::Error> {
    /// # let manager = manager_client::aio::Manager::start().await?;
    /// # let ages = manager.dict::<String, u64>("ages").await?;
    /// let mut watch = ages.watch_key("ann");
    /// assert_eq!(watch.next().await.expect("never the end")?.value, None);
    /// ages.set("ann", &31).await?;
    /// assert_eq!(watch.next().await.expect("never the end")?.value, Some(31));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Result<S::Update>> {
        std::future::poll_fn(|context| self.poll_item(context)).await
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<S::Update>>> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Poll::Ready(Some(Ok(update)));
            }
            let mut advancing = match std::mem::replace(&mut self.state, State::Over) {
                State::Idle(watching) => advance(watching),
                State::Advancing(advancing) => advancing,
                State::Over => return Poll::Ready(None),
            };
            let Poll::Ready((watching, outcome)) = advancing.as_mut().poll(context) else {
                self.state = State::Advancing(advancing);
                return Poll::Pending;
            };
            match outcome {
                Ok(updates) => self.updates = updates.into(),
                Err(error) if !is_passing(&error) => return Poll::Ready(Some(Err(error))),
                Err(error) => {
                    self.state = State::Idle(watching);
                    return Poll::Ready(Some(Err(error)));
                }
            }
            self.state = State::Idle(watching);
        }
    }
}

fn advance<S: Subject + 'static, L: DirectLink>(mut watching: Watching<S, L>) -> Advancing<S, L> {
    Box::pin(async move {
        let outcome = watching.advance(Duration::MAX).await;
        (watching, outcome)
    })
}

impl<S: Subject + 'static, L: DirectLink> futures_core::Stream for Stream<S, L> {
    type Item = Result<S::Update>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(context)
    }
}

impl<S: Subject, L: DirectLink> fmt::Debug for Stream<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_over = matches!(self.state, State::Over);
        f.debug_struct("Stream").field("known", &self.updates.len()).field("is_over", &is_over).finish()
    }
}
