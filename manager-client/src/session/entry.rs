//! A connection's way into a session: it begins it, or joins it.

use std::time::Duration;

use manager_protocol::{SessionChoice, SessionToken};

use super::{Session, lock};
use crate::error::Result;
use crate::inbox::protocol;

/// What a session is to the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) id: u64,
    pub(super) token: SessionToken,
    #[cfg_attr(not(feature = "aio"), allow(dead_code, reason = "only a task can make use of the time"))]
    pub(super) grace: Duration,
}

#[derive(Debug)]
pub(super) enum Place {
    /// Nobody has begun it.
    Vacant,
    /// A connection is asking for it.
    Asked,
    Known(Identity),
}

/// A connection's way into the session. Dropped before it was welcomed, it lets another begin.
#[derive(Debug)]
pub(crate) struct Entry<'s> {
    pub(super) session: &'s Session,
    pub(super) generation: u32,
    /// `None` if it begins the session.
    pub(super) identity: Option<Identity>,
    pub(super) welcome: bool,
}

impl Entry<'_> {
    pub(crate) fn choice(&self) -> SessionChoice {
        match self.identity {
            Some(identity) => SessionChoice::Join(identity.id, identity.token),
            None => SessionChoice::New(true),
        }
    }

    /// Whether it joins a session that exists, or did.
    pub(crate) fn joins(&self) -> bool {
        self.identity.is_some()
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Notes that the server does not know the session any more.
    pub(crate) fn expire(&self) {
        self.session.expire(self.generation);
    }

    /// Notes which session the server has welcomed the connection to.
    pub(crate) fn welcome(&mut self, id: u64, token: Option<SessionToken>, grace_ms: u64) -> Result<()> {
        match (self.identity, token) {
            (Some(joined), _) if joined.id != id => Err(protocol("a welcome to another session than was asked for")),
            (None, None) => Err(protocol("a welcome to a session that cannot be joined")),
            (Some(_), _) => Ok(()),
            (None, Some(token)) => {
                let identity = Identity { id, token, grace: Duration::from_millis(grace_ms) };
                *lock(&self.session.place) = Place::Known(identity);
                self.welcome = true;
                self.session.place_changed.notify_all();
                Ok(())
            }
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if self.identity.is_none() && !self.welcome {
            *lock(&self.session.place) = Place::Vacant;
            self.session.place_changed.notify_all();
        }
    }
}
