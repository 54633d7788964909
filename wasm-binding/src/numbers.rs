//! Lists of numbers on their way in and out.
//!
//! What wasm-bindgen does with `&[f64]` and `Vec<f64>` would do here too. But it asks each argument
//! whether it could be converted, with words for the case that it could not, and fits a list into its
//! memory before it leaves, in every function anew.

use std::ops::Deref;

use seawall::door::numbers::{self, FromNumbers};
use wasm_bindgen::convert::{FromWasmAbi, IntoWasmAbi};
use wasm_bindgen::describe::WasmDescribe;

type List = Box<[f64]>;

/// A list of numbers in a block of its own.
pub struct Numbers(List);

impl Numbers {
    /// What the numbers say.
    #[inline(always)]
    pub(crate) fn read<T: FromNumbers + Default>(self) -> T {
        numbers::read(&self)
    }
}

impl Deref for Numbers {
    type Target = [f64];

    #[inline(always)]
    fn deref(&self) -> &[f64] {
        &self.0
    }
}

impl From<Vec<f64>> for Numbers {
    /// Into another block rather than a part of its own: the former is there anyway.
    #[inline(never)]
    fn from(list: Vec<f64>) -> Self {
        Self(Box::from(list.as_slice()))
    }
}

impl From<Option<Vec<f64>>> for Numbers {
    /// None are no numbers.
    #[inline(always)]
    fn from(list: Option<Vec<f64>>) -> Self {
        list.unwrap_or_default().into()
    }
}

impl WasmDescribe for Numbers {
    fn describe() {
        List::describe();
    }
}

impl FromWasmAbi for Numbers {
    type Abi = <List as FromWasmAbi>::Abi;

    #[inline(always)]
    unsafe fn from_abi(abi: Self::Abi) -> Self {
        // SAFETY: what the caller promises is what is asked for.
        Self(unsafe { List::from_abi(abi) })
    }

    #[inline(always)]
    unsafe fn try_from_abi(abi: Self::Abi) -> Result<Self, &'static str> {
        // SAFETY: what the caller promises is what is asked for.
        Ok(unsafe { Self::from_abi(abi) })
    }
}

impl IntoWasmAbi for Numbers {
    type Abi = <List as IntoWasmAbi>::Abi;

    #[inline(always)]
    fn into_abi(self) -> Self::Abi {
        self.0.into_abi()
    }
}
