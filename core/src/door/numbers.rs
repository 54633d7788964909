//! Options and snapshots as lists of numbers: a serde format for the JavaScript doors.
//!
//! A struct is its fields in the order of their declaration. `None` is NaN. A list is its length
//! and its entries. A struct or list inside an `Option` follows the same rules, a struct there
//! being preceded by a 1.
//!
//! The doors could read objects with `serde-wasm-bindgen` and napi's `serde-json`. The former was
//! measured at 52 KB of an 80 KB budget for this crate's option types, most of it the words and
//! number formatting of error messages nobody sees, because JavaScript has checked the types
//! before and words its own errors. This is 2 KB, works the same in both doors, and is faster
//! than property reads across the boundary. (`inline(never)` halves the code of a long struct.)

use alloc::vec::Vec;
use core::fmt;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Serialize};

/// Reads a value from its numbers; what is missing at the end counts as `None`.
///
/// # Errors
/// [`Unreadable`] if the numbers are not of this type.
pub fn read<'de, T: Deserialize<'de>>(numbers: &[f64]) -> Result<T, Unreadable> {
    T::deserialize(&mut Reader { numbers, nested: false })
}

/// The numbers of a value.
///
/// # Errors
/// [`Unreadable`] if the value holds what is no number, list or struct.
pub fn write<T: Serialize>(value: &T) -> Result<Vec<f64>, Unreadable> {
    let mut numbers = Vec::new();
    value.serialize(&mut Writer(&mut numbers))?;
    Ok(numbers)
}

/// The numbers do not fit the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these numbers are of another type")
    }
}

impl core::error::Error for Unreadable {}

impl serde::de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
    fn invalid_length(_: usize, _: &dyn serde::de::Expected) -> Self {
        Self
    }
    fn invalid_type(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Self
    }
    fn invalid_value(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Self
    }
}

impl serde::ser::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Reader<'a> {
    numbers: &'a [f64],
    nested: bool,
}

impl Reader<'_> {
    #[inline(never)]
    fn next(&mut self) -> f64 {
        let Some((&first, rest)) = self.numbers.split_first() else { return f64::NAN };
        self.numbers = rest;
        first
    }
}

macro_rules! read_numbers {
    ($($name:ident $visit:ident $type:ty),*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            visitor.$visit(self.next() as $type)
        })*
    };
}

impl<'de> serde::Deserializer<'de> for &mut Reader<'_> {
    type Error = Unreadable;

    read_numbers! {
        deserialize_f64 visit_f64 f64, deserialize_f32 visit_f64 f64,
        deserialize_u8 visit_u64 u64, deserialize_u16 visit_u64 u64,
        deserialize_u32 visit_u64 u64, deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i64 i64, deserialize_i16 visit_i64 i64,
        deserialize_i32 visit_i64 i64, deserialize_i64 visit_i64 i64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_bool(self.next() != 0.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.numbers.first().is_none_or(|number| number.is_nan()) {
            self.next();
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let left = self.next() as usize;
        if left > self.numbers.len() {
            return Err(Unreadable);
        }
        visitor.visit_seq(Sequence { reader: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        if self.nested {
            self.next();
        }
        self.nested = true;
        visitor.visit_seq(Sequence { reader: self, left: fields.len() })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(Unreadable)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct newtype_struct tuple
        tuple_struct map enum identifier ignored_any
    }
}

struct Sequence<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Sequence<'_, '_> {
    type Error = Unreadable;

    #[inline(never)]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left = self.left.saturating_sub(1);
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

struct Writer<'a>(&'a mut Vec<f64>);

impl Writer<'_> {
    #[inline(never)]
    fn push(&mut self, number: f64) -> Result<(), Unreadable> {
        self.0.push(number);
        Ok(())
    }
}

macro_rules! write_numbers {
    ($($name:ident $type:ty),*) => {
        $(fn $name(self, value: $type) -> Result<(), Unreadable> {
            self.push(value as f64)
        })*
    };
}

type No = serde::ser::Impossible<(), Unreadable>;

impl<'a, 'n> serde::Serializer for &'a mut Writer<'n> {
    type Ok = ();
    type Error = Unreadable;
    type SerializeSeq = &'a mut Writer<'n>;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = &'a mut Writer<'n>;
    type SerializeStructVariant = No;

    write_numbers! {
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
        serialize_f32 f32, serialize_f64 f64
    }

    fn serialize_bool(self, value: bool) -> Result<(), Unreadable> {
        self.push(f64::from(u8::from(value)))
    }
    fn serialize_none(self) -> Result<(), Unreadable> {
        self.push(f64::NAN)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unreadable> {
        value.serialize(self)
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Unreadable> {
        self.push(len.ok_or(Unreadable)? as f64)?;
        Ok(self)
    }
    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStruct, Unreadable> {
        Ok(self)
    }

    fn serialize_char(self, _: char) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
    fn serialize_str(self, _: &str) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
    fn serialize_unit(self) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unreadable> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unreadable> {
        Err(Unreadable)
    }
    fn serialize_tuple(self, _: usize) -> Result<No, Unreadable> {
        Err(Unreadable)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<No, Unreadable> {
        Err(Unreadable)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<No, Unreadable> {
        Err(Unreadable)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<No, Unreadable> {
        Err(Unreadable)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<No, Unreadable> {
        Err(Unreadable)
    }
}

impl SerializeSeq for &mut Writer<'_> {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), Unreadable> {
        Ok(())
    }
}

impl SerializeStruct for &mut Writer<'_> {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _key: &'static str,
        value: &T,
    ) -> Result<(), Unreadable> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), Unreadable> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(default)]
    struct Outer {
        a: Option<f64>,
        inner: Option<Inner>,
        list: Option<Vec<f64>>,
        b: Option<u32>,
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        x: Option<f64>,
        y: Option<bool>,
    }

    #[test]
    fn nested_and_missing_parts() {
        let full = [1.5, 1.0, f64::NAN, 1.0, 2.0, 7.0, 8.0, 3.0];
        let want = Outer {
            a: Some(1.5),
            inner: Some(Inner { x: None, y: Some(true) }),
            list: Some(vec![7.0, 8.0]),
            b: Some(3),
        };
        assert_eq!(read::<Outer>(&full), Ok(want));
        assert_eq!(read::<Outer>(&[]), Ok(Outer::default()));
        let none = [f64::NAN, f64::NAN, f64::NAN, 2.0];
        assert_eq!(read::<Outer>(&none), Ok(Outer { b: Some(2), ..Outer::default() }));
        assert_eq!(read::<Outer>(&[0.0, f64::NAN, 9e15]), Err(Unreadable));
    }

    #[test]
    fn a_snapshot_survives() {
        let snapshot = crate::breaker::Snapshot {
            version: 1,
            state: 1,
            left_ms: 12.5,
            memory: vec![1.0, 2.0, 3.0],
            ..Default::default()
        };
        let numbers = write(&snapshot).unwrap();
        assert_eq!(read::<crate::breaker::Snapshot>(&numbers), Ok(snapshot));
    }
}
