//! Bad input inside of good frames: each is refused with the right code and words, changes nothing,
//! and the connection lives on.

use manager_protocol::{
    Bin, Code, Encoded, ErrorReply, Kind, MAX_ELEMENTS, Many, ObjectId, Operation, array, decode_value, dict, list,
    manager, set, value,
};
use manager_tests::{TestServer, server_with};

use crate::raw::{Raw, Reply, code, encoded, request, request_of};

/// Stands in every key and value here, and must stand in no refusal.
const MARKER: &str = "Jabberwock";

/// A dict and a list with something in them, and a connection.
struct Table {
    raw: Raw,
    dict: ObjectId,
    list: ObjectId,
    before: Contents,
    _server: TestServer,
}

/// Versions and contents.
type Contents = (Reply, Reply);

/// The number 1, which stands first in the list.
const ONE: &[u8] = &[0x01];

impl Table {
    fn new() -> Self {
        let server = server_with(|config| config.limits.max_items = 50);
        let mut raw = Raw::greeted(server.socket());
        let (dict, list) = (raw.open("ages", Kind::Dict), raw.open("steps", Kind::List));
        let (marker, most) = (encoded(MARKER), encoded(&u64::MAX));
        raw.call(dict, dict::Set { key: (&marker).into(), value: (&marker).into() });
        raw.call(dict, dict::Set { key: ONE.into(), value: (&most).into() });
        for value in [ONE, &marker, &[0xc0], &most] {
            raw.call(list, list::Push { value: value.into() });
        }
        let before = contents(&mut raw, dict, list);
        Self { raw, dict, list, before, _server: server }
    }

    /// Sends a frame with id 7, which must be refused and leave everything as it was.
    #[track_caller]
    fn refuses(&mut self, frame: &[u8], expected: Code, words: &[&str]) {
        let error: ErrorReply = match self.raw.ask(frame) {
            Err(error) => error,
            Ok(_) => panic!("answered, where {expected:?} was due: {words:?}"),
        };
        let message = &error.message;
        assert_eq!((error.id, code(&error)), (7, expected), "{message}");
        for word in words {
            assert!(message.contains(word), "{word:?} is not in: {message}");
        }
        assert!(!message.contains(MARKER), "a key or a value is in: {message}");
        assert!(message.len() < 500 && !message.ends_with('.'), "{message}");
        self.raw.ping();
        assert_eq!(
            contents(&mut self.raw, self.dict, self.list),
            self.before,
            "changed by what was refused: {message}"
        );
    }

    #[track_caller]
    fn refuses_operation<O: Operation>(&mut self, object: ObjectId, operation: O, expected: Code, words: &[&str]) {
        let words = [&[O::ROW.name], words].concat();
        self.refuses(&request(7, object, operation), expected, &words);
    }
}

fn contents(raw: &mut Raw, dict: ObjectId, list: ObjectId) -> Contents {
    (raw.call(dict, dict::Items {}), raw.call(list, list::Values {}))
}

/// Every head of a MessagePack value that something must follow, with less behind it than it claims.
fn length_bombs() -> Vec<Vec<u8>> {
    let mut bombs = Vec::new();
    let claims: [(u8, usize); 15] = [
        (0xc4, 1),
        (0xc5, 2),
        (0xc6, 4), // bin
        (0xc7, 1),
        (0xc8, 2),
        (0xc9, 4), // ext
        (0xd9, 1),
        (0xda, 2),
        (0xdb, 4), // str
        (0xdc, 2),
        (0xdd, 4), // array
        (0xde, 2),
        (0xdf, 4), // map
        (0xbf, 0),
        (0xbf, 3), // fixstr
    ];
    for (head, width) in claims {
        for claim in [0xff, 0x7f] {
            bombs.push([&[head], &vec![claim; width][..]].concat());
            bombs.push([&[head], &vec![claim; width][..], MARKER.as_bytes()].concat());
        }
        // Within the limit on elements, and still more than there is.
        if width == 4 {
            bombs.push(vec![head, 0x00, 0x0f, 0xff, 0xff]);
            bombs.push(vec![head, 0x00, 0x00, 0xff, 0xff, 0xc0]);
        }
        // The length itself is cut short.
        bombs.extend((0..width).map(|short| [&[head], &vec![0x7f; short][..]].concat()));
    }
    for (head, width) in [(0xca, 4), (0xcb, 8), (0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8)] {
        bombs.push([&[head], &vec![0x01; width - 1][..]].concat());
        bombs.push(vec![head]);
    }
    for (head, width) in [(0xd0, 1), (0xd1, 2), (0xd2, 4), (0xd3, 8)] {
        bombs.push([&[head], &vec![0x01; width - 1][..]].concat());
    }
    for (head, width) in [(0xd4, 1), (0xd5, 2), (0xd6, 4), (0xd7, 8), (0xd8, 16)] {
        bombs.push([&[head], &vec![0x01; width][..]].concat());
    }
    bombs.extend([vec![0x9f], vec![0x9f, 0xc0], vec![0x8f], vec![0x81, 0x01], vec![]]);
    bombs
}

/// A bin that holds these bytes: how keys and values travel.
fn bin(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    [&[0xc6], &len.to_be_bytes()[..], bytes].concat()
}

fn nested(depth: usize, head: &[u8]) -> Vec<u8> {
    [head.repeat(depth).as_slice(), &[0xc0]].concat()
}

/// Values that are no MessagePack, or break a limit, and what is said of them.
fn bad_values() -> Vec<(Vec<u8>, &'static str)> {
    let nils = [&[0xdd], &(MAX_ELEMENTS + 1).to_be_bytes()[..], &vec![0xc0; MAX_ELEMENTS as usize + 1]].concat();
    let text = [&[0xaa], MARKER.as_bytes()].concat();
    let mut values = vec![
        (nested(65, &[0x91]), "nested deeper than 64 levels"),
        (nested(100_000, &[0x91]), "nested deeper than 64 levels"),
        (nested(65, &[0x81, 0x01]), "nested deeper than 64 levels"),
        (nested(100_000, &[0x81, 0x01]), "nested deeper than 64 levels"),
        // A map in the place of a key.
        (nested(100_000, &[0x81]), "nested deeper than 64 levels"),
        (nils, "more than 1048576 elements"),
        ([text.as_slice(), &[0xc0]].concat(), "bytes after the end of the value"),
        (vec![0xc1], "the reserved byte 0xc1"),
        (vec![0x92, 0x01, 0xc1], "the reserved byte 0xc1"),
        (vec![0xa1, 0xff], "text that is not UTF-8"),
        ([&[0xab], MARKER.as_bytes(), &[0xff]].concat(), "text that is not UTF-8"),
        (vec![0x81, 0xa2, 0xc3, 0x28, 0x01], "text that is not UTF-8"),
        (vec![0xa3, 0xed, 0xa0, 0x80], "text that is not UTF-8"),
        ([&[0x82], &text[..], &[0x01], &text, &[0x02]].concat(), "a map with the same key twice"),
        (vec![0x91, 0x83, 0x01, 0xc0, 0x02, 0xc0, 0x01, 0xc0], "a map with the same key twice"),
    ];
    for bomb in length_bombs() {
        // The elements of an array, or the keys and values of a map.
        let too_many = match bomb.as_slice() {
            [head @ (0xdd | 0xdf), a, b, c, d, ..] => {
                let claimed = u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
                claimed * if *head == 0xdd { 1 } else { 2 } > MAX_ELEMENTS.into()
            }
            _ => false,
        };
        let said = if too_many { "more than 1048576 elements" } else { "a length runs past the end of the data" };
        values.push((bomb, said));
    }
    values
}

#[test]
fn values_that_are_not_messagepack_are_refused_wherever_they_stand() {
    let mut table = Table::new();
    let (dict, list) = (table.dict, table.list);
    for (bad, said) in bad_values() {
        let good = bin(ONE);
        let key_first = [&[0x92], &bin(&bad)[..], &good].concat();
        let value_last = [&[0x92], &good[..], &bin(&bad)].concat();
        let set = dict::Set::ROW.number;
        let code = Code::MalformedRequest;
        table.refuses(&request_of(7, set, dict, &key_first), code, &["dict.set", "argument `key`", said]);
        table.refuses(&request_of(7, set, dict, &value_last), code, &["dict.set", "argument `value`", said]);
        let items = [&[0x91, 0x92], &good[..], &bin(&bad)].concat();
        table.refuses(&request_of(7, list::Extend::ROW.number, list, &items), code, &["list.extend", "item 1", said]);
    }
}

#[test]
fn arguments_that_are_not_messagepack_are_refused() {
    let mut table = Table::new();
    let dict = table.dict;
    let set = dict::Set::ROW.number;
    for (bad, said) in bad_values() {
        // In the place of a bin; what is behind a whole value is another fault there.
        if !said.starts_with("bytes after") {
            let key = [&[0x92], &bad[..]].concat();
            table.refuses(
                &request_of(7, set, dict, &key),
                Code::MalformedRequest,
                &["dict.set", "argument `key`", said],
            );
        }
        // In the place of the array.
        table.refuses(&request_of(7, set, dict, &bad), Code::MalformedRequest, &["dict.set: "]);
    }
    let heads: [(&[u8], &str); 4] = [
        (&[], "expected an array of 2 arguments"),
        (&[0xd9, 0xff], "expected an array of 2 arguments"),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff], "expected an array of 2 arguments"),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff], "expected 2 arguments, found 4294967295"),
    ];
    for (arguments, said) in heads {
        table.refuses(&request_of(7, set, dict, arguments), Code::MalformedRequest, &["dict.set", said]);
    }
    let trailing = [&[0x91], &bin(ONE)[..], MARKER.as_bytes()].concat();
    let frame = request_of(7, dict::Get::ROW.number, dict, &trailing);
    table.refuses(&frame, Code::MalformedRequest, &["dict.get", "bytes after the last argument"]);
}

#[test]
fn arguments_of_another_number_or_type_are_refused() {
    let mut table = Table::new();
    let (dict, list) = (table.dict, table.list);
    let rows = [(dict, dict::ROWS), (list, list::ROWS), (0, manager::ROWS)];
    for (object, row) in rows.into_iter().flat_map(|(object, rows)| rows.iter().map(move |row| (object, row))) {
        // No operation has so many, and none takes text for an array.
        let many = [&[0x9f], &[0xc0; 15][..]].concat();
        let frame = request_of(7, row.number, object, &many);
        table.refuses(&frame, Code::MalformedRequest, &[row.name, "found 15"]);
        let frame = request_of(7, row.number, object, &encoded(MARKER));
        table.refuses(&frame, Code::MalformedRequest, &[row.name, "expected an array of"]);
        // Whatever its first argument is, it is neither a map nor an extension, nor text but for a name.
        let text = encoded(&format!("{MARKER}, expected {MARKER}"));
        for wrong in [&[0x81, 0x01, 0x01][..], &[0xd4, 0x05, 0x09], &text] {
            if object == 0 && wrong == text.as_slice() {
                continue;
            }
            let Some(count) = count_of_arguments(&mut table, object, row.number) else { continue };
            let arguments = [&[0x90 | count], &wrong.repeat(count.into())[..]].concat();
            let frame = request_of(7, row.number, object, &arguments);
            table.refuses(&frame, Code::MalformedRequest, &[row.name, "argument `"]);
        }
    }
    let texts: [(u16, &[u8], &str); 6] = [
        (list::Get::ROW.number, &[0x91, 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], "`index`"),
        (list::Get::ROW.number, &[0x91, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "`index`"),
        (list::Page::ROW.number, &[0x92, 0xff, 0x01], "`start`"),
        (list::Page::ROW.number, &[0x92, 0x01, 0xff], "`limit`"),
        (list::Slice::ROW.number, &[0x91, 0x92, 0xc0, 0xc0], "`slice`"),
        (list::Sort::ROW.number, &[0x91, 0x01], "`descending`"),
    ];
    for (operation, arguments, argument) in texts {
        table.refuses(&request_of(7, operation, list, arguments), Code::MalformedRequest, &["argument", argument]);
    }
}

/// How many arguments an operation takes, by what it says of none; `None` if it takes none.
fn count_of_arguments(table: &mut Table, object: ObjectId, operation: u16) -> Option<u8> {
    let many = [&[0x9f], &[0xc0; 15][..]].concat();
    let error = table.raw.ask(&request_of(7, operation, object, &many)).unwrap_err();
    let (_, rest) = error.message.split_once("expected ").unwrap();
    let count = rest.split_once(' ').unwrap().0.parse().unwrap();
    (count > 0).then_some(count)
}

#[test]
fn a_request_of_another_shape_is_refused_under_its_id() {
    let mut table = Table::new();
    let shapes: [(&[u8], &str); 4] = [
        (&[0x94, 0x07, 0xc0, 0x01, 0x90], "operation is an integer"),
        (&[0x94, 0x07, 0xce, 0x00, 0x01, 0x00, 0x00, 0x01, 0x90], "operation is an integer from 0 to 65535"),
        (&[0x94, 0x07, 0x01, 0xff, 0x90], "object is an unsigned integer"),
        (&[0x94, 0x07, 0x01], "object is an unsigned integer"),
    ];
    for (body, said) in shapes {
        let length = u32::try_from(body.len() + 1).unwrap().to_be_bytes();
        let frame = [&length[..], &[manager_protocol::FrameKind::Request as u8], body].concat();
        table.refuses(&frame, Code::MalformedRequest, &[said]);
    }
}

#[test]
fn unknown_operations_and_objects_are_refused() {
    let mut table = Table::new();
    let (dict, list) = (table.dict, table.list);
    for (operation, object) in [
        (0x01ff, dict),
        (0x0100, dict),
        (0x02ff, list),
        (0x03ff, dict),
        (0x7f01, dict),
        (0xffff, dict),
        (0x0000, dict),
        (0x0000, 0),
        (0x00ff, 0),
        // The manager's operations are for object 0, and those of the others are not.
        (manager::Ping::ROW.number, dict),
        (dict::Len::ROW.number, 0),
        (list::Len::ROW.number, 0),
    ] {
        let frame = request_of(7, operation, object, &[0x90]);
        table.refuses(&frame, Code::UnknownOperation, &["unknown operation", &format!("{operation:#06x}")]);
    }
    let deleted = table.raw.open("deleted", Kind::Dict);
    table.raw.call(0, manager::Delete { name: "deleted" });
    for object in [deleted, 999_999, u64::MAX] {
        let id = format!("id {object}");
        table.refuses_operation(object, dict::Len {}, Code::NoSuchObject, &[&id]);
        table.refuses_operation(dict, dict::UpdateFrom { source: object }, Code::NoSuchObject, &[&id]);
        table.refuses_operation(list, list::ExtendFrom { source: object }, Code::NoSuchObject, &[&id]);
    }
}

#[test]
fn objects_of_another_kind_are_refused() {
    let mut table = Table::new();
    let (dict, list) = (table.dict, table.list);
    table.refuses_operation(list, dict::Len {}, Code::WrongKind, &["\"steps\" is a list"]);
    table.refuses_operation(list, dict::Set { key: ONE.into(), value: ONE.into() }, Code::WrongKind, &["is a list"]);
    table.refuses_operation(dict, list::Push { value: ONE.into() }, Code::WrongKind, &["\"ages\" is a dict"]);
    table.refuses_operation(dict, dict::UpdateFrom { source: list }, Code::WrongKind, &["\"steps\" is a list"]);
    table.refuses_operation(dict, dict::UnionFrom { source: list }, Code::WrongKind, &["\"steps\" is a list"]);
    table.refuses_operation(list, list::ExtendFrom { source: dict }, Code::WrongKind, &["\"ages\" is a dict"]);
    table.refuses_operation(list, list::ConcatFrom { source: dict }, Code::WrongKind, &["\"ages\" is a dict"]);
    table.refuses_operation(list, dict::UpdateFrom { source: list }, Code::WrongKind, &["\"steps\" is a list"]);
    let tags = table.raw.open("tags", Kind::Set);
    table.refuses_operation(dict, set::Len {}, Code::WrongKind, &["set.len", "\"ages\" is a dict"]);
    table.refuses_operation(tags, dict::Len {}, Code::WrongKind, &["dict.len", "\"tags\" is a set"]);
    let compare = |source| set::CompareFrom { relation: set::SetRelation::Equal, source };
    table.refuses_operation(tags, compare(dict), Code::WrongKind, &["\"ages\" is a dict"]);
    table.refuses_operation(dict, dict::UpdateFrom { source: tags }, Code::WrongKind, &["\"tags\" is a set"]);
    let object = table.raw.call(0, manager::OpenValue { name: Some("cell"), initial: ONE.into() }).result;
    let cell = decode_value(&object).unwrap();
    table.refuses_operation(cell, array::Len {}, Code::WrongKind, &["array.len", "\"cell\" is a value"]);
    table.refuses_operation(tags, value::Get {}, Code::WrongKind, &["value.get", "\"tags\" is a set"]);
}

#[test]
fn names_that_are_none_are_refused() {
    let mut table = Table::new();
    let open = |name| manager::Open { name: Some(name), kind: Kind::Dict };
    table.refuses_operation(0, open(""), Code::InvalidName, &["1 to 256 bytes", "this one has 0"]);
    let long = "é".repeat(128) + "x";
    table.refuses_operation(0, open(&long), Code::InvalidName, &["1 to 256 bytes", "this one has 257"]);
    let other = manager::Open { name: Some("steps"), kind: Kind::Dict };
    table.refuses_operation(0, other, Code::WrongKind, &["\"steps\" is a list, not a dict"]);
    let other = manager::Open { name: Some("ages"), kind: Kind::List };
    table.refuses_operation(0, other, Code::WrongKind, &["\"ages\" is a dict, not a list"]);
    let number = manager::Open::ROW.number;
    table.refuses(&request_of(7, number, 0, &[0x92, 0xa1, b'x', 0x7f]), Code::MalformedRequest, &["argument `kind`"]);
    table.refuses(&request_of(7, number, 0, &[0x92, 0xa1, 0xff, 0x01]), Code::MalformedRequest, &["`name`", "UTF-8"]);
    let fits = table.raw.open(&"é".repeat(128), Kind::Dict);
    assert_ne!(fits, table.dict);
}

#[test]
fn nan_is_refused_as_a_key_and_what_came_with_it_too() {
    let mut table = Table::new();
    let dict = table.dict;
    let marker = encoded(MARKER);
    let nan = encoded(&f64::NAN);
    for bad in
        [nan.clone(), encoded(&f32::NAN), encoded(&-f64::NAN), encoded(&[1.5, f64::NAN]), encoded(&(1, (f64::NAN,)))]
    {
        let bad = Encoded::from(&bad);
        let (key, value) = (|| bad.clone(), || Encoded::from(&marker));
        let said = ["\"ages\"", "NaN cannot be a key"];
        let code = Code::InvalidKey;
        table.refuses_operation(dict, dict::Get { key: key() }, code, &said);
        table.refuses_operation(dict, dict::Contains { key: key() }, code, &said);
        table.refuses_operation(dict, dict::Set { key: key(), value: value() }, code, &said);
        table.refuses_operation(dict, dict::Insert { key: key(), value: value() }, code, &said);
        table.refuses_operation(dict, dict::GetOrInsert { key: key(), value: value() }, code, &said);
        table.refuses_operation(dict, dict::Remove { key: key() }, code, &said);
        table.refuses_operation(dict, dict::Add { key: key(), delta: ONE.into(), bounds: None }, code, &said);
        table.refuses_operation(
            dict,
            dict::CompareAndSet { key: key(), expected: None, new: Some(value()) },
            code,
            &said,
        );
        table.refuses_operation(dict, dict::ReplaceIfVersion { key: key(), value: value(), version: 9 }, code, &said);
        // The good ones before it must not be done either.
        let keys = || Many::new([value(), Encoded::from(ONE), key()].into_iter());
        let entries = || Many::new([(value(), value()), (Encoded::from(ONE), value()), (key(), value())].into_iter());
        table.refuses_operation(dict, dict::GetMany { keys: keys() }, code, &said);
        table.refuses_operation(dict, dict::InsertMany { entries: entries() }, code, &said);
        table.refuses_operation(dict, dict::InsertKeys { keys: keys(), value: value() }, code, &said);
        table.refuses_operation(dict, dict::RemoveMany { keys: keys() }, code, &said);
        table.refuses_operation(dict, dict::Union { entries: entries() }, code, &said);
        table.refuses_operation(dict, dict::RemoveIfVersion { keys: keys(), version: 9 }, code, &said);
    }
    // It is a value like any other.
    let fits = table.raw.open("fits", Kind::Dict);
    table.raw.call(fits, dict::Set { key: ONE.into(), value: (&nan).into() });
}

#[test]
fn an_index_outside_of_a_list_is_refused_naming_it_and_the_length() {
    let mut table = Table::new();
    let list = table.list;
    let marker = encoded(MARKER);
    for index in [4, -5, 99, i64::MAX, i64::MIN] {
        let value = || Encoded::from(&marker);
        let (at, code) = (format!("index {index} "), Code::OutOfRange);
        let said = ["\"steps\"", &at, "length 4"];
        table.refuses_operation(list, list::Get { index }, code, &said);
        table.refuses_operation(list, list::Set { index, value: value() }, code, &said);
        table.refuses_operation(list, list::Remove { index }, code, &said);
        table.refuses_operation(list, list::Add { index, delta: ONE.into(), bounds: None }, code, &said);
        table.refuses_operation(list, list::CompareAndSet { index, expected: ONE.into(), new: value() }, code, &said);
    }
}

#[test]
fn sums_that_do_not_fit_and_sums_of_what_is_no_number_are_refused() {
    let mut table = Table::new();
    let (dict, list) = (table.dict, table.list);
    let (marker, one, most, infinite) = (encoded(MARKER), encoded(&1), encoded(&200), encoded(&f64::INFINITY));
    let bounds = || Some((Encoded::from(&one), Encoded::from(&most)));
    let delta = || Encoded::from(ONE);
    // 2^64 - 1 stands under 1 and at index 3.
    table.refuses_operation(
        dict,
        dict::Add { key: ONE.into(), delta: delta(), bounds: None },
        Code::Overflow,
        &["sum"],
    );
    table.refuses_operation(list, list::Add { index: 3, delta: delta(), bounds: None }, Code::Overflow, &["sum"]);
    table.refuses_operation(
        list,
        list::Add { index: 0, delta: (&most).into(), bounds: bounds() },
        Code::Overflow,
        &["1 and 200"],
    );
    table.refuses_operation(
        dict,
        dict::Add { key: (&most).into(), delta: (&infinite).into(), bounds: None },
        Code::Overflow,
        &["finite"],
    );
    let text = || Encoded::from(&marker);
    let code = Code::NotANumber;
    table.refuses_operation(dict, dict::Add { key: text(), delta: delta(), bounds: None }, code, &["the stored value"]);
    table.refuses_operation(dict, dict::Add { key: ONE.into(), delta: text(), bounds: None }, code, &["the argument"]);
    table.refuses_operation(list, list::Add { index: 1, delta: delta(), bounds: None }, code, &["the stored value"]);
    table.refuses_operation(list, list::Add { index: 2, delta: delta(), bounds: None }, code, &["the stored value"]);
    let mixed = Some((text(), Encoded::from(&most)));
    table.refuses_operation(list, list::Add { index: 0, delta: delta(), bounds: mixed }, code, &["a bound"]);
    let fraction = encoded(&0.5);
    let mixed = Some((Encoded::from(&fraction), Encoded::from(&most)));
    table.refuses_operation(
        list,
        list::Add { index: 0, delta: delta(), bounds: mixed },
        Code::InvalidArgument,
        &["integers"],
    );
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let mut table = Table::new();
    let list = table.list;
    let marker = encoded(MARKER);
    for descending in [false, true] {
        table.refuses_operation(list, list::Sort { descending }, Code::NoOrder, &["\"steps\"", "no order"]);
    }
    let values = |count| Many::new((0..count).map(|_| Encoded::from(&marker)));
    let slice = |step| list::Range { start: None, stop: None, step };
    let code = Code::InvalidArgument;
    table.refuses_operation(list, list::Slice { slice: slice(0) }, code, &["step of a slice is 0"]);
    table.refuses_operation(list, list::RemoveSlice { slice: slice(0) }, code, &["step of a slice is 0"]);
    table.refuses_operation(
        list,
        list::SetSlice { slice: slice(0), values: values(4) },
        code,
        &["step of a slice is 0"],
    );
    for step in [2, -1, -2, i64::MAX, i64::MIN] {
        let said = [format!("step {step} "), "3 values".to_owned()];
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        table.refuses_operation(list, list::SetSlice { slice: slice(step), values: values(3) }, code, &said);
    }
}

#[test]
fn more_than_a_limit_allows_is_refused() {
    let mut table = Table::new();
    let (dict, list) = (table.dict, table.list);
    let keys: Vec<Vec<u8>> = (100..149).map(|key: u64| encoded(&key)).collect();
    let marker = encoded(MARKER);
    let values = || Many::new(keys.iter().map(Encoded::from));
    let entries = || Many::new(keys.iter().map(|key| (Encoded::from(key), Encoded::from(&marker))));
    let said = ["\"ages\"", "more than 50 entries"];
    table.refuses_operation(dict, dict::InsertMany { entries: entries() }, Code::LimitExceeded, &said);
    table.refuses_operation(
        dict,
        dict::InsertKeys { keys: values(), value: (&marker).into() },
        Code::LimitExceeded,
        &said,
    );
    let said = ["\"steps\"", "more than 50 values"];
    let whole = list::Range { start: Some(3), stop: None, step: 1 };
    table.refuses_operation(list, list::Extend { values: values() }, Code::LimitExceeded, &said);
    table.refuses_operation(list, list::Concat { values: values() }, Code::LimitExceeded, &said);
    table.refuses_operation(list, list::SetSlice { slice: whole, values: values() }, Code::LimitExceeded, &said);
    for times in [13, i64::MAX] {
        table.refuses_operation(list, list::Repeat { times }, Code::LimitExceeded, &said);
        table.refuses_operation(list, list::RepeatInPlace { times }, Code::LimitExceeded, &said);
    }
}

#[test]
fn a_transaction_that_is_refused_has_done_nothing() {
    let mut table = Table::new();
    let (dict, list) = (table.dict, table.list);
    let version = table.before.0.version;
    let marker = encoded(MARKER);
    let arguments = |operation: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        operation(&mut out);
        out
    };
    let push = arguments(&|out| list::Push { value: (&marker).into() }.encode(out));
    let clear = arguments(&|out| dict::Clear {}.encode(out));
    let out_of_range = arguments(&|out| list::Get { index: 99 }.encode(out));
    let inner = arguments(&|out| {
        manager::Transaction { checks: Many::new([].into_iter()), operations: Many::new([].into_iter()) }.encode(out);
    });
    let step = |object, row: manager_protocol::Row, arguments: &'static [u8]| (object, row.number, arguments.to_vec());
    let good = [
        (list, list::Push::ROW.number, push.clone()),
        (dict, dict::Clear::ROW.number, clear.clone()),
        step(list, list::Reverse::ROW, &[0x90]),
    ];
    let check = |version| manager::Check { object: dict, version };
    let cases = [
        ((0, manager::Transaction::ROW.number, inner), version, Code::InvalidArgument, "only operations on objects"),
        ((0, manager::Ping::ROW.number, vec![0x90]), version, Code::InvalidArgument, "only operations on objects"),
        ((list, list::Get::ROW.number, out_of_range), version, Code::OutOfRange, "index 99"),
        ((list, dict::Clear::ROW.number, clear), version, Code::WrongKind, "is a list"),
        ((999_999, dict::Len::ROW.number, vec![0x90]), version, Code::NoSuchObject, "id 999999"),
        ((list, 0x02ff, vec![0x90]), version, Code::UnknownOperation, "unknown operation 0x02ff"),
        ((list, list::Push::ROW.number, vec![0x90]), version, Code::MalformedRequest, "expected 1 arguments"),
        ((list, list::Push::ROW.number, vec![0x91]), version, Code::MalformedRequest, "malformed MessagePack"),
        (
            (list, list::Push::ROW.number, vec![0xc1]),
            version,
            Code::MalformedRequest,
            "expected an array of 1 arguments",
        ),
        ((list, list::Push::ROW.number, push), version + 1, Code::Conflict, "nothing was done"),
    ];
    for (bad, checked, code, said) in cases {
        let steps = good.iter().chain([&bad]).map(|(object, operation, arguments)| manager::Step {
            object: *object,
            operation: *operation,
            arguments: Bin(arguments.into()),
        });
        let steps: Vec<manager::Step<'_>> = steps.collect();
        let checks = Many::new([check(checked)].into_iter());
        let transaction = manager::Transaction { checks, operations: Many::new(steps.into_iter()) };
        table.refuses_operation(0, transaction, code, &[said]);
    }
    let unknown = Many::new([manager::Check { object: 999_999, version: 0 }].into_iter());
    let transaction = manager::Transaction { checks: unknown, operations: Many::new([].into_iter()) };
    table.refuses_operation(0, transaction, Code::NoSuchObject, &["id 999999"]);
}
