//! The worked examples: their bytes are what this crate writes, and it reads them as what they say.

use std::collections::BTreeMap;

use manager_protocol::lock::{Grant, LockMode, LockStatus};
use manager_protocol::path::Step;
use manager_protocol::{
    Acknowledge, Bin, Cancel, Code, DEFAULT_MAX_FRAME, DEFAULT_MAX_MESSAGE, Decode, Decoder, Encoded, Error,
    ErrorReply, Frame, FrameKind, Goodbye, HEADER_BYTES, Held, Hello, Kind, Leave, MAX_HELLO_BYTES, Many, ObjectId,
    Operation, PROTOCOL_VERSION, Part, Reader, Reference, ReplyHeader, RequestHeader, SessionChoice, SessionToken,
    Token, Welcome, decode_body, decode_value, dict, encode_value, finish_frame, list, lock, manager, path,
    split_frame, start_frame, watch, write_control, write_error_reply, write_part, write_reply_header,
    write_request_header,
};

use super::reader::{DOCUMENT, code_span, tables};

#[test]
fn the_examples_are_real() {
    let mut examples = examples();
    let mut take = |label: &str| examples.remove(label).unwrap_or_else(|| panic!("no example {label:?}"));

    check_hello(&take("hello"), SessionChoice::Own);
    check_welcome(&take("welcome"), 6, None);

    let (apples, pears) = (value("apples"), value("pears"));
    let (five, seven, two_less) = (value(&5), value(&7), value(&-2));

    assert_eq!(take("open"), request(1, 0, manager::Open { name: Some("stock"), kind: Kind::Dict }));
    check_result::<manager::Open<'_>>(&take("open-reply"), (1, 0), |object| assert_eq!(object, 1));

    let set = |key: &'static [u8], value| dict::Set { key: key.into(), value };
    assert_eq!(take("set"), request(2, 1, set(apples, five.into())));
    check_result::<dict::Set<'_>>(&take("set-reply"), (2, 1), |()| {});

    assert_eq!(take("get"), request(3, 1, dict::Get { key: apples.into() }));
    check_result::<dict::Get<'_>>(&take("get-reply"), (3, 1), |found| {
        assert_eq!(found.unwrap().decode::<u64>().unwrap(), 5);
    });

    assert_eq!(take("wrong"), request(4, 1, list::Get { index: 0 }));
    let bytes = take("wrong-error");
    let error = Error::new(Code::WrongKind, "list.get on \"stock\": \"stock\" is a dict");
    let mut written = Vec::new();
    write_error_reply(&mut written, 4, &error);
    assert_eq!(bytes, written);
    let refusal: ErrorReply = decode_body(FrameKind::Error, whole(&bytes).body).unwrap();
    assert_eq!((refusal.id, Code::from_number(refusal.code)), (4, Some(Code::WrongKind)));

    let in_one = request(5, 1, set(pears, seven.into()));
    let mut joined = Vec::new();
    for (label, last) in [("part-1", false), ("part-2", true)] {
        let bytes = take(label);
        let part: Part<'_> = decode_body(FrameKind::RequestPart, whole(&bytes).body).unwrap();
        assert_eq!((part.id, part.last), (5, last));
        joined.extend_from_slice(part.bytes);
        let mut written = Vec::new();
        write_part(&mut written, FrameKind::RequestPart, &part);
        assert_eq!(bytes, written);
    }
    assert_eq!(joined, in_one[HEADER_BYTES..]);
    let spelled: Vec<String> = joined[1..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(DOCUMENT.contains(&spelled.join(" ")), "the text spells out the joined body");
    check_result::<dict::Set<'_>>(&take("part-reply"), (5, 2), |()| {});

    let mut add = Vec::new();
    dict::Add { key: apples.into(), delta: two_less.into(), bounds: None }.encode(&mut add);
    let steps = [(dict::Add::ROW, &*add), (dict::Len::ROW, &[0x90][..])].map(|(row, arguments)| manager::Step {
        object: 1,
        operation: row.number,
        arguments: Bin(arguments.into()),
    });
    let checks = Many::new([manager::Check { object: 1, version: 2 }].into_iter());
    let transaction = manager::Transaction { checks, operations: Many::new(steps.into_iter()) };
    assert_eq!(take("transaction"), request(6, 0, transaction));
    check_result::<manager::Transaction<'_>>(&take("transaction-reply"), (6, 0), |replies| {
        let replies: Vec<_> = replies.collect();
        assert_eq!(replies.iter().map(|reply| reply.version).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(
            decode_value::<u64>(&replies[0].result.0).unwrap_err().code,
            Code::MalformedRequest,
            "a bin, not a number"
        );
        let sum = <Encoded<'_> as Decode<'_>>::decode(&mut Decoder::new(&replies[0].result.0)).unwrap();
        assert_eq!((sum.decode::<u64>().unwrap(), decode_value::<u64>(&replies[1].result.0).unwrap()), (3, 2));
    });

    let bytes = take("goodbye");
    let goodbye = Goodbye { code: Code::MalformedFrame.number(), message: "a second hello".into() };
    assert_eq!(bytes, control(FrameKind::Goodbye, &goodbye));

    examples.retain(|label, _| !label.starts_with("session-") && !label.starts_with("living-"));
    assert!(examples.is_empty(), "nothing checks {:?}", examples.keys());
}

#[test]
fn the_examples_of_a_session_are_real() {
    let mut examples = examples();
    examples.retain(|label, _| label.starts_with("session-"));
    let mut take =
        |label: &str| examples.remove(&format!("session-{label}")).unwrap_or_else(|| panic!("no example {label:?}"));

    let token = SessionToken(std::array::from_fn(|byte| 0xa0 + byte as u8));
    check_hello(&take("hello"), SessionChoice::New(true));
    check_welcome(&take("welcome"), 7, Some(token));
    check_hello(&take("join"), SessionChoice::Join(7, token));

    assert_eq!(take("open"), request(1, 0, manager::OpenLock { name: Some("door"), mode: LockMode::Owned }));
    check_result::<manager::OpenLock<'_>>(&take("open-reply"), (1, 0), |object| assert_eq!(object, 2));
    assert_eq!(take("acquire"), request(2, 2, lock::Acquire { holder: 1, timeout_ms: Some(5000) }));
    assert_eq!(take("status"), request(3, 2, lock::Status {}));
    check_result::<lock::Status>(&take("status-reply"), (3, 5), |status| {
        assert_eq!(status, LockStatus { held: true, token: 3, waiting: 1 });
    });
    check_result::<lock::Acquire>(&take("grant"), (2, 7), |grant| {
        assert_eq!(grant, Some(Grant { token: 4, owner_died: false }));
    });
    assert_eq!(take("release"), request(4, 2, lock::Release { holder: 1 }));
    check_result::<lock::Release>(&take("release-reply"), (4, 8), |()| {});

    check_control(&take("acknowledge"), FrameKind::Acknowledge, &Acknowledge { next: 4, awaited: Vec::new() });
    check_control(&take("cancel"), FrameKind::Cancel, &Cancel { id: 5 });
    let mut cancelled = Vec::new();
    write_error_reply(&mut cancelled, 5, &Error::new(Code::Cancelled, "the request was cancelled"));
    assert_eq!(take("cancelled"), cancelled);
    check_control(&take("leave"), FrameKind::Leave, &Leave());
    let goodbye = Goodbye { code: Code::SessionExpired.number(), message: "session 7 has ended".into() };
    check_control(&take("goodbye"), FrameKind::Goodbye, &goodbye);

    assert!(examples.is_empty(), "nothing checks {:?}", examples.keys());
}

#[test]
fn the_examples_of_references_paths_and_watches_are_real() {
    let mut examples = examples();
    examples.retain(|label, _| label.starts_with("living-"));
    let mut take =
        |label: &str| examples.remove(&format!("living-{label}")).unwrap_or_else(|| panic!("no example {label:?}"));

    let list = Reference { kind: Kind::List, epoch: welcome(1, None).epoch, object: 9 };
    let (ann, job, steps) = (value("ann"), value("job"), value("steps"));

    assert_eq!(take("open"), request(1, 0, manager::Open { name: None, kind: Kind::List }));
    check_result::<manager::Open<'_>>(&take("open-reply"), (1, 0), |object| assert_eq!(object, list.object));
    assert_eq!(take("set"), request(2, 1, dict::Set { key: ann.into(), value: value(&list).into() }));
    check_result::<dict::Set<'_>>(&take("set-reply"), (2, 5), |()| {});
    assert_eq!(take("get"), request(3, 1, dict::Get { key: ann.into() }));
    check_control(&take("held"), FrameKind::Held, &Held { id: 3, objects: vec![list.object] });
    check_result::<dict::Get<'_>>(&take("get-reply"), (3, 5), |found| {
        assert_eq!(found.unwrap().decode::<Reference>().unwrap(), list);
    });

    let path = vec![Step::Key(steps.into()), Step::Index(-1)];
    let add = path::Add { at: job.into(), path, delta: value(&1).into(), bounds: None, create: false };
    assert_eq!(take("add"), request(4, 1, add));
    check_result::<path::Add<'_>>(&take("add-reply"), (4, 6), |sum| assert_eq!(sum.decode::<u64>().unwrap(), 3));

    assert_eq!(take("begin"), request(5, 1, watch::Begin { key: None }));
    check_result::<watch::Begin<'_>>(&take("begin-reply"), (5, 6), |watch| assert_eq!(watch, 1));
    assert_eq!(take("changes"), request(6, 1, watch::Changes { watch: 1, after: 6, timeout_ms: None }));
    check_result::<watch::Changes>(&take("changes-reply"), (6, 7), |changes| {
        let [watch::EntryChange(7, Some(key), None)] = &*changes.entries else { panic!("{:?}", changes.entries) };
        assert_eq!(key.as_slice(), ann);
        assert!(changes.splices.is_empty());
        assert_eq!((changes.through, changes.lost), (7, false));
    });

    let objects = Many::new([(list.object, 2)].into_iter());
    assert_eq!(take("release"), request(7, 0, manager::Release { objects }));
    check_result::<manager::Release<'_>>(&take("release-reply"), (7, 0), |()| {});

    assert!(examples.is_empty(), "nothing checks {:?}", examples.keys());
}

#[test]
fn the_hello_and_the_welcome_have_the_keys_of_the_tables() {
    let tables = tables("Opening a connection");
    let keys = |table: &[Vec<String>]| table.iter().map(|row| code_span(&row[0]).to_owned()).collect::<Vec<_>>();
    let hello = Hello { protocol: PROTOCOL_VERSION, client: String::new(), session: SessionChoice::Own };
    assert_eq!(keys(&tables[0]), map_keys(&control(FrameKind::Hello, &hello)));
    assert_eq!(keys(&tables[1]), map_keys(&control(FrameKind::Welcome, &welcome(1, None))));
    assert_eq!(
        decode_body::<Hello>(FrameKind::Hello, &[0x81, 0xa8, b'p', b'r', b'o', b't', b'o', b'c', b'o', b'l', 1]),
        { Ok(hello) }
    );
}

fn check_hello(bytes: &[u8], session: SessionChoice) {
    check_control(
        bytes,
        FrameKind::Hello,
        &Hello { protocol: PROTOCOL_VERSION, client: "example 1.0".into(), session },
    );
}

fn check_welcome(bytes: &[u8], session: u64, token: Option<SessionToken>) {
    check_control(bytes, FrameKind::Welcome, &welcome(session, token));
}

fn welcome(session: u64, token: Option<SessionToken>) -> Welcome {
    Welcome {
        protocol: PROTOCOL_VERSION,
        server: "manager-server 0.1.0".into(),
        epoch: 0x0123_4567_89ab_cdef,
        max_frame: DEFAULT_MAX_FRAME as u64,
        max_message: DEFAULT_MAX_MESSAGE as u64,
        session,
        token,
        grace_ms: 10_000,
    }
}

/// Checks that the crate writes such a frame with these bytes, and reads them as that.
fn check_control<T>(bytes: &[u8], kind: FrameKind, body: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    assert_eq!(bytes, control(kind, body));
    assert_eq!(decode_body::<T>(kind, whole(bytes).body).as_ref(), Ok(body));
}

/// The keys of the map that is the body of a frame.
fn map_keys(frame: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(whole(frame).body);
    let Ok(Token::Map(pairs)) = reader.token() else { panic!("no map: {frame:02x?}") };
    let pair = |_| {
        let key = decode_value::<String>(reader.value().unwrap()).unwrap();
        reader.value().unwrap();
        key
    };
    (0..pairs).map(pair).collect()
}

fn control<T: serde::Serialize>(kind: FrameKind, body: &T) -> Vec<u8> {
    let mut out = Vec::new();
    write_control(&mut out, kind, body);
    out
}

/// The frame of a request.
fn request<O: Operation>(id: u64, object: ObjectId, operation: O) -> Vec<u8> {
    let mut out = Vec::new();
    let start = start_frame(&mut out, FrameKind::Request);
    write_request_header(&mut out, id, O::ROW.number, object);
    operation.encode(&mut out);
    finish_frame(&mut out, start);
    let header = RequestHeader::parse(whole(&out).body).unwrap();
    assert_eq!((header.id, header.operation, header.object), (id, O::ROW.number, object));
    out
}

/// Checks a reply's id, version and result, and that the crate writes such a reply with these bytes.
fn check_result<O: Operation>(bytes: &[u8], head: (u64, u64), check: impl FnOnce(O::Reply<'_>)) {
    let frame = whole(bytes);
    assert_eq!(frame.kind, FrameKind::Reply);
    let header = ReplyHeader::parse(frame.body).unwrap();
    assert_eq!((header.id, header.version), head);
    let mut decoder = Decoder::new(header.result);
    check(O::Reply::decode(&mut decoder).unwrap());
    decoder.finish().unwrap();

    let mut written = Vec::new();
    let start = start_frame(&mut written, FrameKind::Reply);
    write_reply_header(&mut written, header.id, header.version);
    written.extend_from_slice(header.result);
    finish_frame(&mut written, start);
    assert_eq!(bytes, written);
}

fn whole(bytes: &[u8]) -> Frame<'_> {
    let (frame, used) = split_frame(bytes, MAX_HELLO_BYTES).unwrap().unwrap();
    assert_eq!(used, bytes.len(), "an example is one frame");
    frame
}

fn value<T: serde::Serialize + ?Sized>(value: &T) -> &'static [u8] {
    encode_value(value).unwrap().leak()
}

/// The blocks of hexadecimal digits, by their labels.
fn examples() -> BTreeMap<String, Vec<u8>> {
    let mut examples = BTreeMap::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("```hex ") else { continue };
        let block = lines.by_ref().take_while(|line| *line != "```");
        let digits = block.flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace());
        let bytes = digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
        assert_eq!(examples.insert(label.to_owned(), bytes), None, "one example {label:?}");
    }
    examples
}
