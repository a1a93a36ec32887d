//! The number types that the server can add to.

use manager_protocol::Encoded;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::Argument;
use crate::error::Result;

/// A number that the server can add to: the integers up to 64 bits, and the floats.
///
/// The sum of integers must fit the type: the server is told its bounds.
pub trait Number: Serialize + DeserializeOwned + Copy + Sealed {
    /// The least and the greatest value, if a sum has to be kept between such.
    const BOUNDS: Option<(Self, Self)>;
}

/// Keeps [`Number`] to the types that the server knows.
pub trait Sealed {}

macro_rules! numbers {
    ($($bounds:expr => $($number:ident)+;)+) => {
        $($(
            impl Sealed for $number {}

            impl Number for $number {
                const BOUNDS: Option<(Self, Self)> = $bounds;
            }
        )+)+
    };
}

numbers! {
    Some((Self::MIN, Self::MAX)) => i8 i16 i32 i64 isize u8 u16 u32 u64 usize;
    None => f32 f64;
}

/// The bounds of a sum, encoded.
pub(crate) struct Bounds(Option<(Argument, Argument)>);

pub(crate) fn sum<V: Number>() -> Bounds {
    Bounds(V::BOUNDS.map(|(least, greatest)| (Argument::new(&least), Argument::new(&greatest))))
}

impl Bounds {
    pub(crate) fn get(&self) -> Result<Option<(Encoded<'_>, Encoded<'_>)>> {
        self.0.as_ref().map(|(least, greatest)| Ok((least.get()?, greatest.get()?))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_bounds_and_floats_have_none() {
        assert_eq!(i8::BOUNDS, Some((-128, 127)));
        assert_eq!(u64::BOUNDS, Some((0, u64::MAX)));
        assert_eq!(f64::BOUNDS, None);
        let bounds = sum::<i8>();
        let (least, greatest) = bounds.get().unwrap().unwrap();
        assert_eq!((least.decode::<i64>().unwrap(), greatest.decode::<i64>().unwrap()), (-128, 127));
    }
}
