//! Values of every MessagePack type, and when two of them are the same: written anew, from the
//! contract, and sharing nothing with the server.

#![allow(clippy::wildcard_enum_match_arm, reason = "the enum is rmpv's, and all that matters here is named")]

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use manager_protocol::Code;
use rmpv::Value as Data;
use serde::{Deserialize, Serialize};

/// A value of any type.
///
/// `==` asks whether two are identical, bit by bit, as a reply must be to what was stored;
/// [`Value::is_same`] asks whether they are equal as the server sees it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Value(pub(super) Data);

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A float says its width, so that 1 and 1.0 can be told apart.
        match &self.0 {
            Data::F32(number) => write!(f, "{number:?}_f32"),
            Data::F64(number) => write!(f, "{number:?}_f64"),
            other => write!(f, "{other}"),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        identical(&self.0, &other.0)
    }
}

impl<T: Into<Data>> From<T> for Value {
    fn from(data: T) -> Self {
        Self(data.into())
    }
}

fn identical(left: &Data, right: &Data) -> bool {
    match (left, right) {
        (Data::F32(left), Data::F32(right)) => left.to_bits() == right.to_bits(),
        (Data::F64(left), Data::F64(right)) => left.to_bits() == right.to_bits(),
        (Data::Array(left), Data::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| identical(left, right))
        }
        (Data::Map(left), Data::Map(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| identical(&left.0, &right.0) && identical(&left.1, &right.1))
        }
        _ => left == right,
    }
}

impl Value {
    /// Whether they are one value: numbers across their types, maps regardless of their order.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }

    /// Python's order, if the two have one.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        order(&self.0, &other.0)
    }

    /// Whether it is an array.
    pub(super) fn is_array(&self) -> bool {
        matches!(self.0, Data::Array(_))
    }

    /// Whether there is a NaN in it, at any depth.
    pub(super) fn has_nan(&self) -> bool {
        has_nan(&self.0)
    }

    /// The sum with another, within bounds if there are any.
    pub(super) fn plus(&self, delta: &Self, bounds: Option<(i128, i128)>) -> Result<Self, Code> {
        let sum = match (&self.0, &delta.0) {
            (Data::F32(left), Data::F32(right)) => Data::F32(left + right),
            (left, right) => {
                let left = number(left).ok_or(Code::NotANumber)?;
                let right = number(right).ok_or(Code::NotANumber)?;
                match (left, right) {
                    (Number::Integer(left), Number::Integer(right)) => return integer(left + right, bounds),
                    (left, right) => Data::F64(left.as_float() + right.as_float()),
                }
            }
        };
        finite(sum, bounds)
    }

    /// What adding this to nothing gives.
    pub(super) fn plus_nothing(&self, bounds: Option<(i128, i128)>) -> Result<Self, Code> {
        match number(&self.0).ok_or(Code::NotANumber)? {
            Number::Integer(number) => integer(number, bounds),
            Number::Float(_) => finite(self.0.clone(), bounds),
        }
    }
}

fn integer(sum: i128, bounds: Option<(i128, i128)>) -> Result<Value, Code> {
    let (least, greatest) = bounds.unwrap_or(ALL_INTEGERS);
    if sum < least || sum > greatest {
        return Err(Code::Overflow);
    }
    Ok(Value(u64::try_from(sum).map_or_else(|_| Data::from(sum as i64), Data::from)))
}

/// What MessagePack can hold.
const ALL_INTEGERS: (i128, i128) = (i64::MIN as i128, u64::MAX as i128);

/// A float is no sum for a type that has bounds, which are the integers.
fn finite(sum: Data, bounds: Option<(i128, i128)>) -> Result<Value, Code> {
    let is_finite = match &sum {
        Data::F32(sum) => sum.is_finite(),
        Data::F64(sum) => sum.is_finite(),
        _ => false,
    };
    if is_finite && bounds.is_none() { Ok(Value(sum)) } else { Err(Code::Overflow) }
}

#[derive(Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    fn as_float(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

fn number(data: &Data) -> Option<Number> {
    match data {
        Data::Integer(number) => {
            let unsigned = number.as_u64().map(i128::from);
            unsigned.or_else(|| number.as_i64().map(i128::from)).map(Number::Integer)
        }
        Data::F32(number) => Some(Number::Float((*number).into())),
        Data::F64(number) => Some(Number::Float(*number)),
        _ => None,
    }
}

/// The integer that a float is, if it is one that 64 bits could hold.
fn whole(float: f64) -> Option<i128> {
    (float == float.floor() && float.abs() < 1e20).then_some(float as i128)
}

fn same(left: &Data, right: &Data) -> bool {
    match (left, right) {
        (Data::Array(left), Data::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Data::Map(left), Data::Map(right)) => same_pairs(left, right),
        _ => match (number(left), number(right)) {
            (Some(Number::Integer(left)), Some(Number::Integer(right))) => left == right,
            (Some(Number::Integer(integer)), Some(Number::Float(float)))
            | (Some(Number::Float(float)), Some(Number::Integer(integer))) => whole(float) == Some(integer),
            (Some(Number::Float(left)), Some(Number::Float(right))) => {
                left == right || (left.is_nan() && right.is_nan())
            }
            (None, None) => left == right,
            (Some(_), None) | (None, Some(_)) => false,
        },
    }
}

/// Each pair has a partner of its own: a map may have the keys 1 and 1.0.
fn same_pairs(left: &[(Data, Data)], right: &[(Data, Data)]) -> bool {
    let mut partners: Vec<&(Data, Data)> = right.iter().collect();
    left.len() == right.len()
        && left.iter().all(|(key, value)| {
            let partner = partners.iter().position(|pair| same(&pair.0, key) && same(&pair.1, value));
            partner.map(|at| partners.swap_remove(at)).is_some()
        })
}

fn order(left: &Data, right: &Data) -> Option<Ordering> {
    match (left, right) {
        (Data::Boolean(left), Data::Boolean(right)) => Some(left.cmp(right)),
        (Data::String(left), Data::String(right)) => Some(left.as_str().cmp(&right.as_str())),
        (Data::Binary(left), Data::Binary(right)) => Some(left.cmp(right)),
        (Data::Array(left), Data::Array(right)) => {
            match left.iter().zip(right).find(|(left, right)| !same(left, right)) {
                Some((left, right)) => order(left, right),
                None => Some(left.len().cmp(&right.len())),
            }
        }
        _ => match (number(left)?, number(right)?) {
            (Number::Integer(left), Number::Integer(right)) => Some(left.cmp(&right)),
            (Number::Float(left), Number::Float(right)) => left.partial_cmp(&right),
            (Number::Integer(left), Number::Float(right)) => order_mixed(left, right),
            (Number::Float(left), Number::Integer(right)) => order_mixed(right, left).map(Ordering::reverse),
        },
    }
}

fn order_mixed(integer: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.abs() > 1e20 {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let below = float.floor();
    let at_floor = if below < float { Ordering::Less } else { Ordering::Equal };
    Some(integer.cmp(&(below as i128)).then(at_floor))
}

fn has_nan(data: &Data) -> bool {
    match data {
        Data::F32(number) => number.is_nan(),
        Data::F64(number) => number.is_nan(),
        Data::Array(items) => items.iter().any(has_nan),
        Data::Map(pairs) => pairs.iter().any(|(key, value)| has_nan(key) || has_nan(value)),
        _ => false,
    }
}

/// A value as the key of a map of the model: equal when it is the same.
#[derive(Clone, Debug)]
pub(super) struct Key(pub(super) Value);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0.0, state);
    }
}

fn hash(data: &Data, state: &mut impl Hasher) {
    match (number(data), data) {
        (Some(Number::Integer(number)), _) => number.hash(state),
        (Some(Number::Float(number)), _) => match whole(number) {
            Some(number) => number.hash(state),
            None if number.is_nan() => state.write_u8(1),
            None => number.to_bits().hash(state),
        },
        (None, Data::Array(items)) => items.iter().for_each(|item| hash(item, state)),
        (None, Data::Map(pairs)) => {
            let sum = pairs.iter().map(|(key, value)| {
                let mut pair = std::hash::DefaultHasher::new();
                hash(key, &mut pair);
                hash(value, &mut pair);
                pair.finish()
            });
            sum.fold(0, u64::wrapping_add).hash(state);
        }
        (None, other) => other.to_string().hash(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Value> {
        vec![
            Value(Data::Nil),
            true.into(),
            1.into(),
            Value(Data::F32(1.0)),
            0.5.into(),
            f64::NAN.into(),
            u64::MAX.into(),
            i64::MIN.into(),
            18_446_744_073_709_551_616.0.into(),
            "1".into(),
            Value(Data::Binary(b"1".to_vec())),
            Value(Data::Array(vec![1.into()])),
            Value(Data::Map(vec![(1.into(), 2.into())])),
            Value(Data::Ext(1, b"1".to_vec())),
        ]
    }

    #[test]
    fn values_of_different_types_differ_and_numbers_do_not_have_one() {
        for (row, left) in all().iter().enumerate() {
            for (column, right) in all().iter().enumerate() {
                assert_eq!(left.is_same(right), row == column || (row, column) == (2, 3) || (row, column) == (3, 2));
            }
        }
    }

    #[test]
    fn a_value_comes_back_identical_from_its_encoding() {
        for value in all() {
            let bytes = manager_protocol::encode_value(&value).unwrap();
            assert_eq!(manager_protocol::decode_value::<Value>(&bytes).unwrap(), value);
        }
    }

    #[test]
    fn the_order_is_exact_between_integers_and_floats() {
        let order = |left: Value, right: Value| left.order(&right);
        assert_eq!(order(9_007_199_254_740_993_i64.into(), 9_007_199_254_740_992.0.into()), Some(Ordering::Greater));
        assert_eq!(order(u64::MAX.into(), 18_446_744_073_709_551_616.0.into()), Some(Ordering::Less));
        assert_eq!(order(0.into(), (-0.5).into()), Some(Ordering::Greater));
        assert_eq!(order((-1).into(), (-0.5).into()), Some(Ordering::Less));
        assert_eq!(order(1.into(), f64::NAN.into()), None);
        assert_eq!(order(true.into(), 1.into()), None);
    }
}
