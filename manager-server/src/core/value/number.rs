//! Sums of encoded numbers.

use manager_protocol::{Code, Encoded, Error, Reader, Result, Token};

use super::canonical::write_integer;

#[derive(Debug, Clone, Copy)]
enum Number {
    Integer(i128),
    Float32(f32),
    Float64(f64),
}

/// `current + delta`, encoded. No current value counts as 0 of the delta's type.
///
/// Two integers give an integer, within `bounds` if there are any, else within what MessagePack can
/// hold; two 32-bit floats give one; any other pair gives a 64-bit float, which must be finite.
/// Bounds are those of an integer type, so no float is within them.
pub(in crate::core) fn add(
    current: Option<&[u8]>,
    delta: &Encoded<'_>,
    bounds: Option<&(Encoded<'_>, Encoded<'_>)>,
) -> Result<Vec<u8>> {
    let delta = read(delta.as_slice(), "the argument")?;
    let current = current.map(|value| read(value, "the stored value")).transpose()?;
    let bounds = bounds.map(|(low, high)| Ok((integer_bound(low)?, integer_bound(high)?))).transpose()?;
    let (low, high) = bounds.unwrap_or_else(|| (i64::MIN.into(), u64::MAX.into()));
    let sum = match (current, delta) {
        (None, delta) => delta,
        (Some(Number::Integer(current)), Number::Integer(delta)) => Number::Integer(current + delta),
        (Some(Number::Float32(current)), Number::Float32(delta)) => Number::Float32(current + delta),
        (Some(current), delta) => Number::Float64(current.widen() + delta.widen()),
    };
    match sum {
        Number::Integer(sum) if (low..=high).contains(&sum) => {
            let mut out = Vec::new();
            write_integer(&mut out, sum);
            Ok(out)
        }
        Number::Integer(_) => {
            Err(Error::new(Code::Overflow, format!("the sum is not within {low} and {high}; nothing was added")))
        }
        Number::Float32(_) | Number::Float64(_) if bounds.is_some() => {
            Err(Error::new(Code::Overflow, "the sum is a float and must be an integer; nothing was added"))
        }
        Number::Float32(sum) if sum.is_finite() => Ok(manager_protocol::encode_value(&sum)?),
        Number::Float64(sum) if sum.is_finite() => Ok(manager_protocol::encode_value(&sum)?),
        Number::Float32(_) | Number::Float64(_) => {
            Err(Error::new(Code::Overflow, "the sum is not a finite number; nothing was added"))
        }
    }
}

impl Number {
    fn widen(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float32(number) => number.into(),
            Self::Float64(number) => number,
        }
    }
}

fn read(value: &[u8], what: &str) -> Result<Number> {
    match Reader::new(value).token() {
        Ok(Token::Integer(number)) => Ok(Number::Integer(number)),
        Ok(Token::Float32(number)) => Ok(Number::Float32(number)),
        Ok(Token::Float64(number)) => Ok(Number::Float64(number)),
        Ok(_) | Err(_) => Err(Error::new(Code::NotANumber, format!("{what} is not a number"))),
    }
}

fn integer_bound(bound: &Encoded<'_>) -> Result<i128> {
    match read(bound.as_slice(), "a bound")? {
        Number::Integer(bound) => Ok(bound),
        Number::Float32(_) | Number::Float64(_) => {
            Err(Error::new(Code::InvalidArgument, "the bounds of a sum are integers"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum<A: serde::Serialize, B: serde::Serialize>(current: A, delta: B) -> Result<Vec<u8>> {
        let (current, delta) = (rmp_serde::to_vec(&current).unwrap(), rmp_serde::to_vec(&delta).unwrap());
        add(Some(&current), &(&delta).into(), None)
    }

    fn code(result: Result<Vec<u8>>) -> Code {
        result.unwrap_err().code
    }

    #[test]
    fn integers_add_up_to_all_that_messagepack_holds() {
        assert_eq!(sum(u64::MAX - 1, 1).unwrap(), rmp_serde::to_vec(&u64::MAX).unwrap());
        assert_eq!(code(sum(u64::MAX, 1)), Code::Overflow);
        assert_eq!(sum(i64::MIN, 0).unwrap(), rmp_serde::to_vec(&i64::MIN).unwrap());
        assert_eq!(code(sum(i64::MIN, -1)), Code::Overflow);
        assert_eq!(sum(u64::MAX, i64::MIN).unwrap(), rmp_serde::to_vec(&(i64::MAX)).unwrap());
    }

    #[test]
    fn floats_keep_their_width_and_stay_finite() {
        assert_eq!(sum(1.5_f32, 0.25_f32).unwrap(), rmp_serde::to_vec(&1.75_f32).unwrap());
        assert_eq!(sum(1.5_f64, 1).unwrap(), rmp_serde::to_vec(&2.5_f64).unwrap());
        assert_eq!(code(sum(f32::MAX, f32::MAX)), Code::Overflow);
        assert_eq!(code(sum(f64::MAX, f64::MAX)), Code::Overflow);
        assert_eq!(code(sum(0.0, f64::NAN)), Code::Overflow);
    }

    #[test]
    fn bounds_hold_for_the_first_value_too() {
        let encode = |number: i64| rmp_serde::to_vec(&number).unwrap();
        let (low, high, delta) = (encode(0), encode(255), encode(256));
        let bounds = ((&low).into(), (&high).into());
        assert_eq!(code(add(None, &(&delta).into(), Some(&bounds))), Code::Overflow);
        assert_eq!(add(None, &(&high).into(), Some(&bounds)).unwrap(), high);
        let half = rmp_serde::to_vec(&0.5).unwrap();
        assert_eq!(code(add(Some(&half), &(&high).into(), Some(&bounds))), Code::Overflow);
        assert_eq!(code(add(Some(&high), &(&encode(1)).into(), Some(&bounds))), Code::Overflow);
    }

    #[test]
    fn text_is_not_a_number_on_either_side() {
        assert_eq!(code(sum("1", 1)), Code::NotANumber);
        assert_eq!(code(sum(1, "1")), Code::NotANumber);
        assert_eq!(code(sum(true, 1)), Code::NotANumber);
    }
}
