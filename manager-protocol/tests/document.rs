//! `docs/PROTOCOL.md` says what this crate does: its examples, and its tables row by row.
//!
//! The document is read as a reader would: arguments are made from the types that its tables name,
//! and must be what the operation of that number takes.

#![allow(clippy::unwrap_used, reason = "whatever is not as expected in the document fails the test")]

#[path = "document/examples.rs"]
mod examples;
#[path = "document/reader.rs"]
mod reader;

use std::collections::BTreeSet;

use manager_protocol::lock::LockMode;
use manager_protocol::pipe::Side;
use manager_protocol::pool::Ending;
use manager_protocol::queue::Order;
use manager_protocol::set::{SetOperator, SetRelation};
use manager_protocol::watch::Condition;
use manager_protocol::{
    Code, DEFAULT_MAX_FRAME, DEFAULT_MAX_MESSAGE, Decode, Decoder, Effect, FrameKind, Kind, MAX_DEPTH, MAX_ELEMENTS,
    MAX_HELLO_BYTES, MAX_NAME_BYTES, Malformed, Operation, PROTOCOL_VERSION, REFERENCE_TYPE, Result, Row,
    SOCKET_VARIABLE, array, barrier, check, condition, dict, event, kind_name, list, lock, manager, path, pipe, pool,
    queue, references, semaphore, set, value, watch,
};

use reader::{DOCUMENT, Documented, REFERENCE, code_span, fields, hexadecimal, operations, shapes, table, tables};

/// The operations of one kind of object, or of those that belong to no single kind.
struct Kinds {
    /// What is above their table.
    heading: &'static str,
    rows: &'static [Row],
    decode: fn(u16, &[u8]) -> Result<Row>,
}

macro_rules! kinds {
    ($($heading:literal $kind:ident;)+) => {
        &[$(Kinds {
            heading: $heading,
            rows: $kind::ROWS,
            decode: |number, arguments| $kind::Request::decode(number, arguments).map(|request| request.row()),
        }),+]
    };
}

/// All operations, in the order of the document.
const KINDS: &[Kinds] = kinds! {
    "The manager" manager;
    "Dicts" dict;
    "Lists" list;
    "Sets" set;
    "Values" value;
    "Arrays" array;
    "Queues" queue;
    "Pipes" pipe;
    "Locks" lock;
    "Semaphores" semaphore;
    "Events" event;
    "Conditions" condition;
    "Barriers" barrier;
    "Pools" pool;
    "Paths" path;
    "Watches" watch;
};

fn all_operations() -> Vec<Documented> {
    KINDS.iter().flat_map(|kind| operations(kind.heading)).collect()
}

fn decode_arguments(operation: &Documented, arguments: &[&[u8]]) -> Result<()> {
    let mut encoded = vec![0x90 | u8::try_from(arguments.len()).unwrap()];
    encoded.extend(arguments.concat());
    let kind = KINDS.iter().find(|kind| kind.rows.iter().any(|row| row.number == operation.number)).unwrap();
    (kind.decode)(operation.number, &encoded).map(|Row { name, .. }| assert_eq!(name, operation.name))
}

#[test]
fn every_operation_is_in_the_tables_as_it_is_in_the_code() {
    for Kinds { heading, rows, .. } in KINDS {
        let documented: Vec<(u16, String, String, bool)> = operations(heading)
            .iter()
            .map(|operation| (operation.number, operation.name.clone(), operation.effect.clone(), operation.waits))
            .collect();
        let real: Vec<(u16, String, String, bool)> = rows
            .iter()
            .map(|row| (row.number, row.name.to_owned(), effect(row.effect).to_owned(), row.waits))
            .collect();
        assert_eq!(documented, real, "the table under {heading:?}");
    }
    let headings: Vec<&str> = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .skip_while(|name| *name != "The manager")
        .collect();
    assert_eq!(headings, KINDS.iter().map(|kind| kind.heading).collect::<Vec<_>>(), "each has a section");
}

#[test]
fn what_waits_has_a_time_limit_as_its_last_argument() {
    for operation in all_operations() {
        let last = fields(&operation.arguments).last().copied();
        assert_eq!(operation.waits, last == Some(("timeout_ms", "int or nil")), "{}", operation.name);
    }
}

#[test]
fn the_numbers_that_shapes_list_are_those_of_the_code() {
    let shapes = shapes();
    let all = || 0..=u8::MAX;
    let kinds: Vec<(u8, String)> =
        all().filter_map(|number| Some((number, kind_name(Kind::try_from(number).ok()?).to_owned()))).collect();
    assert_eq!(shapes.numbers["kind"], kinds);
    let numbers = |shape: &str| shapes.numbers[shape].iter().map(|(number, _)| *number).collect::<Vec<_>>();
    let known = |is_known: fn(u8) -> bool| all().filter(|number| is_known(*number)).collect::<Vec<_>>();
    assert_eq!(numbers("order"), known(|number| Order::try_from(number).is_ok()));
    assert_eq!(numbers("side"), known(|number| Side::try_from(number).is_ok()));
    assert_eq!(numbers("mode"), known(|number| LockMode::try_from(number).is_ok()));
    assert_eq!(numbers("operator"), known(|number| SetOperator::try_from(number).is_ok()));
    assert_eq!(numbers("relation"), known(|number| SetRelation::try_from(number).is_ok()));
    let conditions: Vec<(u8, String)> = all()
        .filter_map(|number| Some((number, spaced(&format!("{:?}", Condition::try_from(number).ok()?)))))
        .collect();
    assert_eq!(shapes.numbers["condition"], conditions);
    let endings: Vec<(u8, String)> =
        all().filter_map(|number| Some((number, spaced(&format!("{:?}", Ending::try_from(number).ok()?))))).collect();
    assert_eq!(shapes.numbers["ending"], endings);
    let described: Vec<String> = tables("Watches")[1].iter().map(|row| row[0].clone()).collect();
    assert_eq!(described, conditions.into_iter().map(|(_, name)| name).collect::<Vec<_>>());
}

/// The words of a name such as `ChangedSince`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

#[test]
fn a_reference_has_the_head_and_the_fields_of_the_table() {
    let rows = table("References");
    let sizes: Vec<usize> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
    let value = &REFERENCE[2..];
    assert_eq!(sizes.iter().sum::<usize>(), value.len());
    let head: Vec<String> = value[..sizes[0]].iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(rows[0][2].starts_with(&format!("`{}`", head.join(" "))), "{}", rows[0][2]);
    assert!(DOCUMENT.contains(&format!("A reference is an extension of type {REFERENCE_TYPE}, ")));
    let read: Vec<(Kind, u64, u64)> =
        references(value).iter().map(|reference| (reference.kind, reference.epoch, reference.object)).collect();
    assert_eq!(read, [(Kind::List, 1, 9)]);

    let longer_head = [&[0xc8, 0x00, 0x11, 0x6d][..], &value[3..]].concat();
    let longer = [&[0xc7, 0x12, 0x6d][..], &value[3..], &[0]].concat();
    let mut of_no_kind = value.to_vec();
    of_no_kind[3] = 13;
    for bad in [&longer_head, &longer, &of_no_kind] {
        assert_eq!(check(bad), Err(Malformed::Reference), "{bad:02x?}");
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
        ("time that an entry of a dict is given to live", dict::MAX_TTL_MS.try_into().unwrap()),
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
        manager: Ping Open Delete Objects Transaction OpenQueue OpenLock OpenSemaphore OpenBarrier OpenPipe
            OpenValue OpenArray Hold Release;
        dict: Len Get Contains Set Insert GetOrInsert Remove PopFirst PopLast Clear Items Keys Values Page GetMany
            InsertMany InsertKeys RemoveMany UpdateFrom Union UnionFrom Add CompareAndSet ReplaceIfVersion
            RemoveIfVersion InsertWith Expire Ttl;
        list: Len Get Set Push PushFront Pop PopFront Insert Remove RemoveValue Extend ExtendFrom Clear Values Slice
            SetSlice RemoveSlice Page Contains Index Count Reverse Sort Concat ConcatFrom Repeat RepeatInPlace Add
            CompareAndSet ReplaceIfVersion;
        set: Len Contains Add Remove PopFirst PopLast Clear Values Page Extend RemoveMany Combine CombineFrom
            CombineInPlace CombineInPlaceFrom Compare CompareFrom;
        value: Get Set Replace Add CompareAndSet;
        array: Len Get Set Add CompareAndSet SwapValues Values Slice SetSlice Fill Page Contains Index Count Reverse
            Sort;
        queue: Put PutMany Get GetMany Reserve Ack Release Extend TaskDone Join ShutDown Len Status;
        pipe: Attach Close HandOver Send Receive Poll;
        lock: Acquire Release Status;
        semaphore: Acquire Release Status;
        event: Set Clear IsSet Wait;
        condition: Acquire Release Wait Notify Status;
        barrier: Wait Abort Reset Status;
        pool: Enter Leave Hire Attach Submit Take Finish GiveBack Collect Cancel Bury Close Terminate Status;
        path: Get Len Contains Set Remove Add Extend Insert;
        watch: Begin Changes End WaitFor;
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

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Idempotent => "idempotent",
        Effect::Change => "change",
    }
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
