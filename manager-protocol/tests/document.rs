//! `docs/PROTOCOL.md` says what this crate does: its examples, and its tables row by row.
//!
//! The document is read as a reader would: arguments are made from the types that its tables name,
//! and must be what the operation of that number takes.

#![allow(clippy::unwrap_used, reason = "whatever is not as expected in the document fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use manager_protocol::{
    Bin, Code, DEFAULT_MAX_FRAME, DEFAULT_MAX_MESSAGE, Decode, Decoder, Effect, Encoded, Error, ErrorReply, Frame,
    FrameKind, Goodbye, HEADER_BYTES, Hello, Kind, MAX_DEPTH, MAX_ELEMENTS, MAX_HELLO_BYTES, MAX_NAME_BYTES, Many,
    ObjectId, Operation, PROTOCOL_VERSION, Part, ReplyHeader, RequestHeader, Result, Row, SOCKET_VARIABLE, Welcome,
    decode_body, decode_value, dict, encode_value, finish_frame, list, manager, split_frame, start_frame,
    write_control, write_error_reply, write_part, write_reply_header, write_request_header,
};

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");

#[test]
fn every_operation_is_in_the_tables_as_it_is_in_the_code() {
    for (heading, rows) in [("The manager", manager::ROWS), ("Dicts", dict::ROWS), ("Lists", list::ROWS)] {
        let documented: Vec<(u16, String, String)> = operations(heading)
            .iter()
            .map(|operation| (operation.number, operation.name.clone(), operation.effect.clone()))
            .collect();
        let real: Vec<(u16, String, String)> =
            rows.iter().map(|row| (row.number, row.name.to_owned(), effect(row.effect).to_owned())).collect();
        assert_eq!(documented, real, "the table under {heading:?}");
    }
}

#[test]
fn every_error_is_in_the_table() {
    let documented: Vec<(u16, String)> =
        table("Errors").into_iter().map(|row| (row[0].parse().unwrap(), row[1].clone())).collect();
    let real: Vec<(u16, String)> = Code::ALL.iter().map(|code| (code.number(), format!("{code:?}"))).collect();
    assert_eq!(documented, real);
}

#[test]
fn refusals_are_codes() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code:?}")).collect();
    for operation in all_operations() {
        for refusal in operation.refusals.split(", ").filter(|refusal| *refusal != "none") {
            assert!(codes.contains(refusal), "{}: {refusal:?} is no code", operation.name);
        }
    }
}

#[test]
fn every_kind_of_frame_is_in_the_table() {
    let documented: Vec<(u16, String)> =
        table("Frame kinds").iter().map(|row| (hexadecimal(&row[0]), code_span(&row[1]).to_owned())).collect();
    let real: Vec<(u16, String)> = (0..=u8::MAX)
        .filter_map(|number| FrameKind::from_number(number).map(|kind| (number.into(), format!("{kind:?}"))))
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn the_limits_are_those_of_the_code() {
    let limits = table("Limits");
    for (limit, value) in [
        ("depth of a value", MAX_DEPTH),
        ("elements of a value", MAX_ELEMENTS as usize),
        ("name of an object", MAX_NAME_BYTES),
        ("frame before the welcome", MAX_HELLO_BYTES),
        ("frame after the welcome", DEFAULT_MAX_FRAME),
        ("request in parts", DEFAULT_MAX_MESSAGE),
    ] {
        let row = limits.iter().find(|row| row[0] == limit).unwrap_or_else(|| panic!("no limit {limit:?}"));
        assert!(row[1].contains(&grouped(value)), "{limit}: {} is not {value}", row[1]);
    }
    assert!(DOCUMENT.starts_with(&format!("# The protocol of the manager, version {PROTOCOL_VERSION}\n")));
    assert!(DOCUMENT.contains(&format!("`{SOCKET_VARIABLE}`")));
}

#[test]
fn arguments_are_what_the_operations_take() {
    let shapes = shapes();
    for operation in all_operations() {
        let fields = fields(&operation.arguments);
        let samples: Vec<Vec<Vec<u8>>> = fields.iter().map(|(_, typ)| shapes.samples(typ)).collect();
        let most = samples.iter().map(Vec::len).max().unwrap_or(1);
        for nth in 0..most {
            let arguments: Vec<&[u8]> = samples.iter().map(|samples| &*samples[nth % samples.len()]).collect();
            let decoded = decode_arguments(&operation, &arguments);
            assert_eq!(decoded, Ok(()), "{}: {arguments:02x?}", operation.name);
        }
        for (place, (name, typ)) in fields.iter().enumerate() {
            let mut arguments: Vec<&[u8]> = samples.iter().map(|samples| &*samples[0]).collect();
            // An extension, which nothing takes: the refusal names the argument.
            arguments[place] = &[0xd4, 0x01, 0x00];
            let refused = decode_arguments(&operation, &arguments).unwrap_err().message;
            assert!(refused.contains(&format!("argument `{name}`")), "{}: {refused}", operation.name);
            arguments[place] = &[0xc0];
            let takes_nil = decode_arguments(&operation, &arguments).is_ok();
            assert_eq!(takes_nil, typ.ends_with("or nil"), "{}: nil as `{name}`", operation.name);
        }
    }
}

macro_rules! check_replies {
    ($($kind:ident: $($operation:ident)+;)+) => {{
        let mut checked = Vec::new();
        $($(
            check_reply::<$kind::$operation>(&mut checked);
        )+)+
        checked
    }};
}

#[test]
#[allow(elided_lifetimes_in_paths, reason = "the list names operations with and without a lifetime alike")]
fn results_are_what_the_operations_return() {
    let checked = check_replies! {
        manager: Ping Open Delete Objects Transaction;
        dict: Len Get Contains Set Insert GetOrInsert Remove PopFirst PopLast Clear Items Keys Values Page GetMany
            InsertMany InsertKeys RemoveMany UpdateFrom Union UnionFrom Add CompareAndSet ReplaceIfVersion
            RemoveIfVersion;
        list: Len Get Set Push PushFront Pop PopFront Insert Remove RemoveValue Extend ExtendFrom Clear Values Slice
            SetSlice RemoveSlice Page Contains Index Count Reverse Sort Concat ConcatFrom Repeat RepeatInPlace Add
            CompareAndSet ReplaceIfVersion;
    };
    assert_eq!(checked, all_operations().iter().map(|operation| operation.number).collect::<Vec<_>>());
}

fn check_reply<O: Operation>(checked: &mut Vec<u16>) {
    let operation = all_operations().into_iter().find(|operation| operation.number == O::ROW.number).unwrap();
    let decodes = |bytes: &[u8]| {
        let mut decoder = Decoder::new(bytes);
        O::Reply::decode(&mut decoder).map(drop).and_then(|()| decoder.finish())
    };
    for sample in shapes().samples(&operation.result) {
        assert_eq!(decodes(&sample), Ok(()), "{}: {sample:02x?}", operation.name);
    }
    let may_be_nil = operation.result.ends_with("nil");
    assert_eq!(decodes(&[0xc0]).is_ok(), may_be_nil, "{}: nil as the result", operation.name);
    checked.push(O::ROW.number);
}

#[test]
fn the_examples_are_real() {
    let mut examples = examples();
    let mut take = |label: &str| examples.remove(label).unwrap_or_else(|| panic!("no example {label:?}"));

    let hello = Hello { protocol: PROTOCOL_VERSION, client: "example 1.0".into() };
    assert_eq!(take("hello"), control(FrameKind::Hello, &hello));
    let welcome = Welcome {
        protocol: PROTOCOL_VERSION,
        server: "manager-server 0.1.0".into(),
        epoch: 0x0123_4567_89ab_cdef,
        max_frame: DEFAULT_MAX_FRAME as u64,
        max_message: DEFAULT_MAX_MESSAGE as u64,
    };
    let bytes = take("welcome");
    assert_eq!(bytes, control(FrameKind::Welcome, &welcome));
    assert_eq!(decode_body::<Welcome>(FrameKind::Welcome, whole(&bytes).body).unwrap(), welcome);

    let (apples, pears) = (value("apples"), value("pears"));
    let (five, seven, two_less) = (value(&5), value(&7), value(&-2));

    assert_eq!(take("open"), request(1, 0, manager::Open { name: "stock", kind: Kind::Dict }));
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

    assert!(examples.is_empty(), "nothing checks {:?}", examples.keys());
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

/// A row of a table of operations.
struct Documented {
    number: u16,
    name: String,
    effect: String,
    arguments: String,
    result: String,
    refusals: String,
}

fn all_operations() -> Vec<Documented> {
    ["The manager", "Dicts", "Lists"].into_iter().flat_map(operations).collect()
}

fn operations(heading: &str) -> Vec<Documented> {
    let rows = table(heading).into_iter().map(|row| {
        let [number, name, effect, _does, arguments, result, refusals] = &*row else { panic!("seven cells: {row:?}") };
        Documented {
            number: hexadecimal(number),
            name: code_span(name).to_owned(),
            effect: effect.clone(),
            arguments: if arguments == "none" { String::new() } else { code_span(arguments).to_owned() },
            result: code_span(result).to_owned(),
            refusals: refusals.clone(),
        }
    });
    rows.collect()
}

fn decode_arguments(operation: &Documented, arguments: &[&[u8]]) -> Result<()> {
    let mut encoded = vec![0x90 | u8::try_from(arguments.len()).unwrap()];
    encoded.extend(arguments.concat());
    let decoded = match operation.number >> 8 {
        0 => manager::Request::decode(operation.number, &encoded).map(|request| request.row()),
        1 => dict::Request::decode(operation.number, &encoded).map(|request| request.row()),
        _ => list::Request::decode(operation.number, &encoded).map(|request| request.row()),
    };
    decoded.map(|Row { name, .. }| assert_eq!(name, operation.name))
}

/// The named shapes, by which types are spelled.
struct Shapes(BTreeMap<String, String>);

fn shapes() -> Shapes {
    let rows = table("Shapes");
    // `kind` is said in words there.
    let spelled = rows.iter().filter(|row| row[1].starts_with('`'));
    Shapes(spelled.map(|row| (code_span(&row[0]).to_owned(), code_span(&row[1]).to_owned())).collect())
}

impl Shapes {
    /// Encodings of a type that differ where it leaves a choice.
    fn samples(&self, typ: &str) -> Vec<Vec<u8>> {
        if let Some(inner) = typ.strip_suffix(" or nil") {
            return [self.samples(inner), vec![vec![0xc0]]].concat();
        }
        if let Some(item) = typ.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let items = self.samples(item);
            let all = [&[0x90 | u8::try_from(items.len()).unwrap()][..], &items.concat()].concat();
            return vec![vec![0x90], all];
        }
        if let Some(items) = typ.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            let items: Vec<_> = fields(items).iter().map(|(_, typ)| self.samples(typ)).collect();
            let most = items.iter().map(Vec::len).max().unwrap();
            let nth = |nth: usize| items.iter().flat_map(|samples| samples[nth % samples.len()].clone()).collect();
            let head = [0x90 | u8::try_from(items.len()).unwrap()];
            return (0..most).map(nth).map(|items: Vec<u8>| [&head[..], &items].concat()).collect();
        }
        if let Some(spelled) = self.0.get(typ) {
            return self.samples(spelled);
        }
        let samples: &[&[u8]] = match typ {
            "nil" => &[&[0xc0]],
            "uint" => &[&[0x00], &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255]],
            "uint32" => &[&[0x00], &[0xce, 255, 255, 255, 255]],
            "uint16" => &[&[0x00], &[0xcd, 255, 255]],
            "int" => &[&[0xff], &[0xd3, 128, 0, 0, 0, 0, 0, 0, 0], &[0x00]],
            "bool" => &[&[0xc2], &[0xc3]],
            "str" => &[&[0xa0], &[0xa1, b'x']],
            "kind" => &[&[0x01], &[0x02]],
            "bin" => &[&[0xc4, 0x00], &[0xc4, 0x02, 0xff, 0xc1]],
            "value" => &[&[0xc4, 0x01, 0xc0], &[0xc4, 0x02, 0x91, 0x01]],
            _ => panic!("no type {typ:?}"),
        };
        samples.iter().map(|sample| sample.to_vec()).collect()
    }
}

/// Names and types of `a: A, b: B`; commas inside of brackets do not part.
fn fields(list: &str) -> Vec<(&str, &str)> {
    let mut depth = 0;
    let parts = list.split(|c: char| {
        depth += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
        c == ',' && depth == 0
    });
    parts.filter(|part| !part.is_empty()).map(|part| part.trim().split_once(": ").expect("a name and a type")).collect()
}

/// The rows of the first table under a heading, without its head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let is_heading =
        |line: &&str| line.trim_start_matches('#').strip_prefix(' ') == Some(heading) && line.starts_with('#');
    let rest = DOCUMENT.lines().skip_while(|line| !is_heading(line)).skip(1);
    let under = rest.take_while(|line| !line.starts_with('#'));
    let rows: Vec<&str> =
        under.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 2, "a table under {heading:?}");
    let cells = |row: &&str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    rows[2..].iter().map(cells).collect()
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

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Idempotent => "idempotent",
        Effect::Change => "change",
    }
}

fn hexadecimal(cell: &str) -> u16 {
    u16::from_str_radix(cell.strip_prefix("0x").unwrap(), 16).unwrap()
}

fn code_span(cell: &str) -> &str {
    cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or_else(|| panic!("`code`: {cell:?}"))
}

/// A number with a comma after each third digit from the right.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
