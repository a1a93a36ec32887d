//! Generated values, keys, indices and operations. There are few keys and few values, so that they
//! meet often, and among them is every type and every number that is hard to get right.

use proptest::prelude::*;
use proptest::sample::select;
use rmpv::Value as Data;

use super::operation::{Change, Delta, DictOperation, ListOperation, Part, SECRET, SECRET_NUMBER};
use super::path::{path_operation, place};
use super::value::Value;

/// Any value.
pub(super) fn value() -> BoxedStrategy<Value> {
    let leaf = select(leaves());
    let map = prop::collection::vec((leaf.clone(), leaf.clone()), 0..3).prop_map(map);
    let array = prop::collection::vec(prop_oneof![4 => leaf.clone(), 1 => map.clone()], 0..4).prop_map(array);
    prop_oneof![14 => select(common()), 12 => leaf, 2 => array, 1 => map, 1 => any::<i64>().prop_map(Value::from), 1 => any::<f64>().prop_map(Value::from)]
        .boxed()
}

/// Few values that have an order among each other.
pub(super) fn orderly() -> BoxedStrategy<Value> {
    let number =
        prop_oneof![(-3_i64..4).prop_map(Value::from), (-3_i32..4).prop_map(|n| Value::from(f64::from(n) / 2.0))];
    prop_oneof![4 => number.clone(), 1 => prop::collection::vec(number, 0..3).prop_map(array)].boxed()
}

/// A key out of few; sometimes what cannot be one.
pub(super) fn key() -> BoxedStrategy<Value> {
    let special = vec![
        text("b"),
        Value::from(""),
        u64::MAX.into(),
        18_446_744_073_709_551_616.0.into(),
        Value(Data::Ext(3, b"hush".to_vec())),
        text("a key of more than thirty-one bytes"),
    ];
    let keys: Vec<Value> = common().into_iter().filter(|key| !key.has_nan()).chain(special).collect();
    let bad = vec![f64::NAN.into(), array(vec![f32::NAN.into()]), map(vec![(1.into(), f64::NAN.into())])];
    prop_oneof![40 => select(keys), 1 => select(bad), 2 => value()].boxed()
}

/// Values that are often the same as another, and as often only nearly.
pub(super) fn common() -> Vec<Value> {
    vec![
        1.into(),
        1.0.into(),
        1_f32.into(),
        true.into(),
        0.into(),
        (-0.0).into(),
        0.5.into(),
        0.5_f32.into(),
        text("a"),
        bytes("a"),
        f64::NAN.into(),
        f32::NAN.into(),
        Value(Data::Nil),
        array(vec![1.into(), text("a")]),
        array(vec![1.0.into(), text("a")]),
        map(vec![(1.into(), 2.into()), (text("a"), 4.into())]),
        map(vec![(text("a"), 4.0.into()), (1.0.into(), 2.into())]),
    ]
}

fn leaves() -> Vec<Value> {
    let mut all: Vec<Value> = vec![Value(Data::Nil), true.into(), false.into()];
    all.extend([0_i64, 1, 2, -1, 127, 128, -128, -129, 255, 256, i64::MIN, i64::MAX].map(Value::from));
    all.extend([1 << 53, (1 << 53) + 1, 1 << 63, u64::MAX - 1, u64::MAX].map(|number: u64| Value::from(number)));
    all.push(SECRET_NUMBER.parse::<i64>().unwrap().into());
    all.extend([0.0, -0.0, 1.0, 2.0, -1.0, 0.5, -128.0, 1e300, f64::INFINITY, f64::NEG_INFINITY].map(Value::from));
    all.extend([f64::NAN, -f64::NAN, f64::MAX, f64::MIN_POSITIVE].map(Value::from));
    // 2^53, 2^63, 2^64 and -2^63: where floats and integers part.
    all.extend([53, 63, 64].map(|power| Value::from(2_f64.powi(power))));
    all.push(Value::from(-(2_f64.powi(63))));
    all.extend([0_f32, 1.0, 0.5, -1.5, f32::NAN, f32::MAX, f32::INFINITY].map(Value::from));
    all.extend(["a", "b", "ab", &"long".repeat(10), &"longer".repeat(60)].map(text));
    all.push(Value::from(""));
    all.extend(["a", "b", &"long".repeat(10)].map(bytes));
    all.push(Value(Data::Binary(Vec::new())));
    all.extend(
        [(0, 0), (1, 1), (-1, 1), (5, 4), (7, 16), (1, 300)].map(|(kind, len)| Value(Data::Ext(kind, vec![b'x'; len]))),
    );
    all
}

fn text(text: &str) -> Value {
    Value::from(format!("{SECRET}{text}"))
}

fn bytes(text: &str) -> Value {
    Value(Data::Binary(format!("{SECRET}{text}").into_bytes()))
}

fn array(items: Vec<Value>) -> Value {
    Value(Data::Array(items.into_iter().map(|item| item.0).collect()))
}

/// A map of these pairs without those whose key was there before: the client refuses them.
fn map(pairs: Vec<(Value, Value)>) -> Value {
    let mut kept: Vec<(Value, Value)> = Vec::new();
    for (key, value) in pairs {
        if kept.iter().all(|(other, _)| *other != key) {
            kept.push((key, value));
        }
    }
    Value(Data::Map(kept.into_iter().map(|(key, value)| (key.0, value.0)).collect()))
}

fn entries() -> impl Strategy<Value = Vec<(Value, Value)>> + Clone {
    prop::collection::vec((key(), value()), 0..6)
}

pub(super) fn keys() -> impl Strategy<Value = Vec<Value>> + Clone {
    prop::collection::vec(key(), 0..6)
}

fn values() -> impl Strategy<Value = Vec<Value>> + Clone {
    prop_oneof![prop::collection::vec(value(), 0..6), prop::collection::vec(orderly(), 0..8)]
}

pub(super) fn index() -> impl Strategy<Value = i64> + Clone {
    let far = select(vec![i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, -1000, 1000]);
    prop_oneof![12 => -4_i64..6, 4 => -15_i64..15, 1 => far]
}

pub(super) fn part() -> impl Strategy<Value = Part> + Clone {
    let end = prop::option::weighted(0.8, index());
    let step = prop_oneof![
        8 => Just(1_i64),
        4 => Just(-1),
        6 => select(vec![2, 3, -2, -3]),
        1 => select(vec![0, i64::MIN, i64::MAX, 100, -100]),
    ];
    (end.clone(), end, step).prop_map(|(start, stop, step)| Part { start, stop, step })
}

pub(super) fn delta() -> impl Strategy<Value = Delta> + Clone {
    prop_oneof![
        select(vec![0_i8, 1, -1, 100, i8::MIN, i8::MAX]).prop_map(Delta::I8),
        select(vec![0_u64, 1, 1 << 53, u64::MAX]).prop_map(Delta::U64),
        select(vec![0_i64, 1, -1, i64::MIN, i64::MAX]).prop_map(Delta::I64),
        select(vec![0_f32, 0.5, -1.0, f32::MAX, f32::NAN]).prop_map(Delta::F32),
        select(vec![0_f64, -0.0, 0.5, -1.0, 1e300, f64::MAX, f64::INFINITY, f64::NAN]).prop_map(Delta::F64),
    ]
}

pub(super) fn change() -> impl Strategy<Value = Change> + Clone {
    prop_oneof![Just(Change::Keep), Just(Change::Wrap), Just(Change::Remove), value().prop_map(Change::Put)]
}

/// How versions are generated before the true one is known; see [`version_near`].
fn version() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![4 => Just(AS_IS), 4 => 0..=2 * AS_IS, 1 => select(vec![1_000_000, u64::MAX])]
}

/// A version near the true one for a generated number that is small.
pub(super) fn version_near(current: u64, generated: u64) -> u64 {
    if generated <= 2 * AS_IS { (current + generated).saturating_sub(AS_IS) } else { generated }
}

/// The generated number that becomes the true version.
const AS_IS: u64 = 4;

/// Any operation on a dict; in a transaction only those that are one call.
pub(super) fn dict_operation(in_transaction: bool) -> BoxedStrategy<DictOperation> {
    use DictOperation as Op;
    let read = prop_oneof![
        select(vec![Op::Len, Op::IsEmpty, Op::Items, Op::Keys, Op::Values]),
        key().prop_map(Op::Get),
        key().prop_map(Op::ContainsKey),
        keys().prop_map(Op::GetMany),
        entries().prop_map(Op::Union),
        (0..2_usize).prop_map(Op::UnionFrom),
    ];
    let put = prop_oneof![
        (key(), value()).prop_map(|(key, value)| Op::Set(key, value)),
        (key(), value()).prop_map(|(key, value)| Op::Insert(key, value)),
        (key(), value()).prop_map(|(key, value)| Op::GetOrInsert(key, value)),
        entries().prop_map(Op::InsertMany),
        (keys(), value()).prop_map(|(keys, value)| Op::InsertKeys(keys, value)),
        (0..2_usize).prop_map(Op::UpdateFrom),
    ];
    let take = prop_oneof![
        3 => key().prop_map(Op::Remove),
        3 => select(vec![Op::PopFirst, Op::PopLast]),
        2 => keys().prop_map(Op::RemoveMany),
        1 => Just(Op::Clear),
    ];
    let conditional = prop_oneof![
        3 => (key(), delta()).prop_map(|(key, delta)| Op::Add(key, delta)),
        3 => (key(), prop::option::of(value()), prop::option::of(value())).prop_map(|(key, old, new)| Op::CompareAndSet(key, old, new)),
        2 => (key(), value(), version()).prop_map(|(key, value, version)| Op::ReplaceIfVersion(key, value, version)),
        2 => (keys(), version()).prop_map(|(keys, version)| Op::RemoveIfVersion(keys, version)),
    ];
    let several_calls = prop_oneof![
        (key(), change()).prop_map(|(key, change)| Op::UpdateWith(key, change)),
        select(common()).prop_map(Op::Retain),
    ];
    let several_calls_weight = if in_transaction { 0 } else { 1 };
    let inside = (place(), path_operation()).prop_map(|(key, operation)| Op::At(key, operation));
    prop_oneof![3 => read, 5 => put, 2 => take, 3 => conditional, 6 => inside, several_calls_weight => several_calls]
        .boxed()
}

/// Any operation on a list; in a transaction only those that are one call.
pub(super) fn list_operation(in_transaction: bool) -> BoxedStrategy<ListOperation> {
    use ListOperation as Op;
    let times = select(vec![0, 1, 2, 3, -1, i64::MIN, i64::MAX]);
    let read = prop_oneof![
        select(vec![Op::Len, Op::IsEmpty, Op::Values]),
        index().prop_map(Op::Get),
        part().prop_map(Op::Slice),
        select(common()).prop_map(Op::Contains),
        select(common()).prop_map(Op::IndexOf),
        (select(common()), part()).prop_map(|(value, part)| Op::IndexOfWithin(value, part)),
        select(common()).prop_map(Op::Count),
        values().prop_map(Op::Concat),
        (0..2_usize).prop_map(Op::ConcatFrom),
        times.clone().prop_map(Op::Repeat),
    ];
    let put = prop_oneof![
        4 => value().prop_map(Op::Push),
        2 => value().prop_map(Op::PushFront),
        2 => orderly().prop_map(Op::Push),
        2 => (index(), value()).prop_map(|(index, value)| Op::Set(index, value)),
        2 => (index(), value()).prop_map(|(index, value)| Op::Insert(index, value)),
        3 => values().prop_map(Op::Extend),
        1 => (0..2_usize).prop_map(Op::ExtendFrom),
        3 => (part(), values()).prop_map(|(part, values)| Op::SetSlice(part, values)),
    ];
    let take = prop_oneof![
        2 => select(vec![Op::Pop, Op::PopFront]),
        2 => index().prop_map(Op::Remove),
        2 => select(common()).prop_map(Op::RemoveValue),
        2 => part().prop_map(Op::RemoveSlice),
        1 => Just(Op::Clear),
    ];
    let whole = prop_oneof![2 => select(vec![Op::Reverse, Op::Sort, Op::SortDescending]), 1 => times.prop_map(Op::RepeatInPlace)];
    let conditional = prop_oneof![
        2 => (index(), delta()).prop_map(|(index, delta)| Op::Add(index, delta)),
        2 => (index(), value(), value()).prop_map(|(index, old, new)| Op::CompareAndSet(index, old, new)),
        1 => (values(), version()).prop_map(|(values, version)| Op::ReplaceIfVersion(values, version)),
    ];
    let several_calls = prop_oneof![
        (index(), change()).prop_map(|(index, change)| Op::UpdateWith(index, change)),
        Just(Op::SortByKey),
        select(common()).prop_map(Op::Retain),
    ];
    let several_calls_weight = if in_transaction { 0 } else { 1 };
    let inside = (index(), path_operation()).prop_map(|(index, operation)| Op::At(index, operation));
    prop_oneof![
        3 => read,
        5 => put,
        2 => take,
        2 => whole,
        2 => conditional,
        2 => inside,
        several_calls_weight => several_calls,
    ]
    .boxed()
}
