//! How a connection begins: who the peer is, and which protocol it speaks.
//!
//! Until a peer has said hello it costs one small buffer and is believed nothing.

use std::io;
use std::sync::Arc;

use manager_protocol::{
    Code, Error, Frame, FrameKind, Hello, MAX_HELLO_BYTES, PROTOCOL_VERSION, SessionChoice, SessionToken, Welcome,
    decode_body, write_control,
};
use rustix::rand::GetRandomFlags;
use tokio::net::unix::UCred;
use tokio::time::timeout;

use crate::config::Config;
use crate::core::Client;
use crate::process::end_with_process;
use crate::wire::{Ending, Wire};
use crate::worker::Shared;

/// Whether a process with these credentials may use the server: that of the server's own user, or
/// one that the configuration names. Root is no exception.
pub(crate) fn admit(config: &Config, uid: u32, gid: u32) -> Result<(), Error> {
    if uid == manager_socket::own_uid() || config.allow_uids.contains(&uid) || config.allow_gids.contains(&gid) {
        return Ok(());
    }
    Err(Error::new(Code::NotAuthorised, format!("uid {uid} may not use this server")))
}

/// Waits for the hello and answers it. Requests may have arrived right behind it.
pub(crate) async fn greet(wire: &mut Wire, shared: &Arc<Shared>, peer: &UCred) -> Result<Client, Ending> {
    let limit = shared.config.hello_timeout;
    let hello = timeout(limit, hello(wire))
        .await
        .map_err(|_| Error::new(Code::TooSlow, format!("no whole hello within {limit:?}")))??;
    tracing::debug!(uid = peer.uid(), pid = peer.pid(), client = shortened(&hello.client), "a client connected");
    let client = shared.core.connect(peer.uid(), hello.session, draw_token()?)?;
    if hello.session == SessionChoice::New(true) {
        end_with_process(client.watch(), peer, shared);
    }
    let welcome = Welcome {
        protocol: PROTOCOL_VERSION,
        server: format!("manager-server {}", env!("CARGO_PKG_VERSION")),
        epoch: shared.core.epoch(),
        max_frame: shared.config.limits.max_frame as u64,
        max_message: shared.config.limits.max_message as u64,
        session: client.session(),
        token: client.token(),
        grace_ms: u64::try_from(shared.config.limits.grace.as_millis()).unwrap_or(u64::MAX),
    };
    write_control(&mut wire.out, FrameKind::Welcome, &welcome);
    Ok(client)
}

/// What nobody can guess.
fn draw_token() -> io::Result<SessionToken> {
    let mut token = [0; 16];
    let mut drawn = 0;
    while drawn < token.len() {
        drawn += rustix::rand::getrandom(&mut token[drawn..], GetRandomFlags::empty())?;
    }
    Ok(SessionToken(token))
}

async fn hello(wire: &mut Wire) -> Result<Hello, Ending> {
    loop {
        if let Some(frame) = wire.inbox.frame(MAX_HELLO_BYTES)? {
            let (hello, length) = (judge(frame)?, frame.body.len());
            wire.inbox.advance(length);
            return Ok(hello);
        }
        wire.fill(HELLO_BUFFER, MAX_HELLO_BYTES).await?;
    }
}

fn judge(frame: Frame<'_>) -> Result<Hello, Error> {
    if frame.kind != FrameKind::Hello {
        return Err(Error::new(Code::MalformedFrame, format!("the first frame is a {:?}, not a hello", frame.kind)));
    }
    let hello: Hello = decode_body(frame.kind, frame.body)?;
    if hello.protocol != PROTOCOL_VERSION {
        return Err(Error::new(
            Code::UnsupportedVersion,
            format!(
                "the client speaks version {} of the protocol, this server version {PROTOCOL_VERSION}",
                hello.protocol
            ),
        ));
    }
    Ok(hello)
}

fn shortened(name: &str) -> &str {
    let end = (0..=MAX_CLIENT_NAME.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    &name[..end.unwrap_or_default()]
}

/// As much of a client's name as is logged, in bytes.
const MAX_CLIENT_NAME: usize = 256;

/// The buffer of a connection before its hello.
const HELLO_BUFFER: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(protocol: u16) -> Vec<u8> {
        let mut out = Vec::new();
        write_control(
            &mut out,
            FrameKind::Hello,
            &Hello { protocol, client: "test".into(), session: SessionChoice::Own },
        );
        out.split_off(5)
    }

    #[test]
    fn only_the_own_user_and_those_named_are_admitted() {
        let mut config = Config::new("manager.sock");
        let own = manager_socket::own_uid();
        let (stranger, group) = (own + 1, 4_000_000);
        admit(&config, own, group).unwrap();
        let error = admit(&config, stranger, group).unwrap_err();
        assert_eq!(error.code, Code::NotAuthorised);
        config.allow_gids.push(group);
        admit(&config, stranger, group).unwrap();
        config.allow_gids.clear();
        config.allow_uids.push(stranger);
        admit(&config, stranger, group).unwrap();
        admit(&config, stranger + 1, group).unwrap_err();
    }

    #[test]
    fn another_version_is_refused_naming_both() {
        judge(Frame { kind: FrameKind::Hello, body: &hello(PROTOCOL_VERSION) }).unwrap();
        let error = judge(Frame { kind: FrameKind::Hello, body: &hello(999) }).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedVersion);
        assert!(error.message.contains("version 999") && error.message.contains("version 1"), "{error}");
    }

    #[test]
    fn the_first_frame_is_a_hello() {
        let error = judge(Frame { kind: FrameKind::Request, body: &[0xc0] }).unwrap_err();
        assert_eq!(error.code, Code::MalformedFrame);
        assert!(judge(Frame { kind: FrameKind::Hello, body: &[0xc0] }).is_err());
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"é".repeat(200)).len(), 256);
        assert_eq!(shortened(&format!("x{}", "é".repeat(200))).len(), 255);
    }
}
