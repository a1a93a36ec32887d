//! The order of encoded values, for sorting: Python's.
//!
//! Numbers have an order among themselves, and so have texts, bytes, booleans and arrays (item by
//! item). Nil, maps, extensions, NaN and values of different types have none.

use std::cmp::Ordering;

use manager_protocol::{Code, Error, Reader, Result, Token};

use super::Datum;
use super::canonical::canonical;

/// Sorts and keeps the order of equal values.
///
/// # Errors
/// [`Code::NoOrder`] if two values that had to be compared have no order.
pub(in crate::core) fn sort(values: Vec<Datum>, descending: bool) -> Result<Vec<Datum>> {
    if values.len() < 2 {
        return Ok(values);
    }
    let mut unordered = false;
    let mut decoded: Vec<(Ranked<'_>, usize)> =
        values.iter().enumerate().map(|(index, value)| (read(&mut Reader::new(value)), index)).collect();
    decoded.sort_by(|(left, _), (right, _)| {
        let ordering = left.compare(right, &mut unordered);
        if descending { ordering.reverse() } else { ordering }
    });
    if unordered {
        return Err(Error::new(
            Code::NoOrder,
            "the values have no order (mixed types, nil, maps, extensions or NaN); the list is as it was",
        ));
    }
    Ok(decoded.into_iter().map(|(_, index)| values[index].clone()).collect())
}

/// Whether a value equals another or comes after it; false if the two have no order.
pub(in crate::core) fn at_least(value: &[u8], other: &[u8]) -> bool {
    let mut unordered = false;
    let (value, other) = (read(&mut Reader::new(value)), read(&mut Reader::new(other)));
    value.compare(&other, &mut unordered) != Ordering::Less && !unordered
}

/// A value, decoded just so far that it can be compared.
enum Ranked<'a> {
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Array(Vec<Self>),
    /// What has no order, in its canonical form: it may still be equal.
    Other(Vec<u8>),
}

/// Recursion is bounded: the value was checked for depth when it arrived.
fn read<'a>(reader: &mut Reader<'a>) -> Ranked<'a> {
    let mut ahead = reader.clone();
    let token = ahead.token().expect("values are checked when they arrive");
    let ranked = match token {
        Token::Bool(yes) => Ranked::Bool(yes),
        Token::Integer(number) => Ranked::Integer(number),
        Token::Float32(number) => Ranked::Float(number.into()),
        Token::Float64(number) => Ranked::Float(number),
        Token::Text(text) => Ranked::Text(text),
        Token::Bytes(bytes) => Ranked::Bytes(bytes),
        Token::Array(len) => Ranked::Array((0..len).map(|_| read(&mut ahead)).collect()),
        Token::Nil | Token::Map(_) | Token::Extension(..) => {
            let value = reader.value().expect("values are checked when they arrive");
            return Ranked::Other(canonical(value).into_owned());
        }
    };
    *reader = ahead;
    ranked
}

impl Ranked<'_> {
    /// Python's order; where there is none, says so in `unordered` and gives some total order, for
    /// a sort must never see a comparison that contradicts another.
    fn compare(&self, other: &Self, unordered: &mut bool) -> Ordering {
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            (Self::Float(left), Self::Float(right)) => compare_floats(*left, *right, unordered),
            (Self::Integer(left), Self::Float(right)) => compare_mixed(*left, *right, unordered),
            (Self::Float(left), Self::Integer(right)) => compare_mixed(*right, *left, unordered).reverse(),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Bytes(left), Self::Bytes(right)) => left.cmp(right),
            (Self::Array(left), Self::Array(right)) => compare_arrays(left, right, unordered),
            (Self::Other(left), Self::Other(right)) => {
                *unordered = true;
                left.cmp(right)
            }
            _ => {
                *unordered = true;
                self.class().cmp(&other.class())
            }
        }
    }

    fn class(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Integer(_) | Self::Float(_) => 1,
            Self::Text(_) => 2,
            Self::Bytes(_) => 3,
            Self::Array(_) => 4,
            Self::Other(_) => 5,
        }
    }
}

/// The first items that differ decide, so items that are equal need no order: `[nil, 1] < [nil, 2]`.
fn compare_arrays(left: &[Ranked<'_>], right: &[Ranked<'_>], unordered: &mut bool) -> Ordering {
    for (left, right) in left.iter().zip(right) {
        let mut without_order = false;
        let ordering = left.compare(right, &mut without_order);
        if ordering != Ordering::Equal {
            *unordered |= without_order;
            return ordering;
        }
    }
    left.len().cmp(&right.len())
}

fn compare_floats(left: f64, right: f64, unordered: &mut bool) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| {
        *unordered = true;
        // NaN after all numbers, and equal to itself.
        left.is_nan().cmp(&right.is_nan())
    })
}

/// Exact, where a cast of the integer to a float would round.
fn compare_mixed(integer: i128, float: f64, unordered: &mut bool) -> Ordering {
    if float.is_nan() {
        *unordered = true;
        return Ordering::Less;
    }
    // A float beyond the range of i128 saturates, which keeps its side.
    let whole = float.trunc() as i128;
    integer.cmp(&whole).then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::moment::Moment;

    fn values<T: serde::Serialize>(values: &[T]) -> Vec<Datum> {
        values.iter().map(|value| Datum::new(rmp_serde::to_vec(value).unwrap(), &Moment::default())).collect()
    }

    fn mixed() -> Vec<Datum> {
        [values(&[1, -3, 9_007_199_254_740_993_i64]), values(&[0.5, 9_007_199_254_740_992.0, -1e300, f64::INFINITY])]
            .concat()
    }

    #[test]
    fn integers_and_floats_compare_exactly() {
        let expected = [
            values(&[-1e300]),
            values(&[-3]),
            values(&[0.5]),
            values(&[1]),
            values(&[9_007_199_254_740_992.0]),
            values(&[9_007_199_254_740_993_i64]),
            values(&[f64::INFINITY]),
        ]
        .concat();
        assert_eq!(sort(mixed(), false).unwrap(), expected);
    }

    #[test]
    fn equal_values_keep_their_order_in_both_directions() {
        let ones = [values(&[1]), values(&[1.0]), values(&[2])].concat();
        assert_eq!(sort(ones.clone(), false).unwrap(), ones);
        let down = [values(&[2]), values(&[1]), values(&[1.0])].concat();
        assert_eq!(sort(ones, true).unwrap(), down);
    }

    #[test]
    fn what_has_no_order_is_refused() {
        for bad in [
            [values(&[1]), values(&["a"])].concat(),
            values(&[None::<u8>, None]),
            values(&[f64::NAN, 1.0]),
            values(&[f64::NAN, f64::NAN]),
            [values(&[(1, None::<u8>)]), values(&[(1, 2)])].concat(),
        ] {
            assert_eq!(sort(bad, false).unwrap_err().code, Code::NoOrder);
        }
        assert!(sort(values(&[None::<u8>]), false).is_ok(), "one value needs no order");
    }

    #[test]
    fn what_comes_after_is_told_from_what_comes_before_or_has_no_order() {
        let all = mixed();
        let (one, large, half) = (&all[0], &all[2], &all[3]);
        assert!(at_least(one, one) && at_least(one, half) && !at_least(half, one) && !at_least(one, large));
        let unlike = [values(&["a"]), values(&[None::<u8>]), values(&[f64::NAN])].concat();
        for other in &unlike {
            assert!(!at_least(one, other) && !at_least(other, one));
        }
        assert!(at_least(&unlike[0], &unlike[0]) && !at_least(&unlike[1], &unlike[1]));
    }

    #[test]
    fn arrays_are_decided_by_the_first_difference() {
        let sorted = values(&[(None::<u8>, 1, "x"), (None, 2, "a")]);
        assert_eq!(sort(sorted.iter().rev().cloned().collect(), false).unwrap(), sorted);
        let lengths = values(&[vec![1], vec![1, 0]]);
        assert_eq!(sort(lengths.iter().rev().cloned().collect(), false).unwrap(), lengths);
    }
}
