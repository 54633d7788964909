//! Causes of failure by number: labels such as `ECONNRESET`.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Labels kept; a service whose errors carry ever new ones must not fill its memory with them.
const MOST: usize = 512;

/// Labels by number, from 1 on.
#[derive(Debug, Default)]
pub struct Causes(Vec<Box<str>>);

impl Causes {
    /// No labels.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The number of `label`, the same each time; 0 once too many others are known.
    pub fn number(&mut self, label: &str) -> u32 {
        let known = self.0.iter().position(|other| &**other == label);
        let index = known.unwrap_or(self.0.len());
        if index >= MOST {
            return 0;
        }
        if known.is_none() {
            self.0.push(label.to_owned().into_boxed_str());
        }
        u32::try_from(index.saturating_add(1)).unwrap_or(0)
    }

    /// The label of `number`, empty where there is none.
    #[must_use]
    pub fn label(&self, number: u32) -> &str {
        let index = (number as usize).wrapping_sub(1);
        self.0.get(index).map_or("", |label| label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_label_keeps_its_number_and_there_is_an_end() {
        let mut causes = Causes::new();
        assert_eq!(causes.number("ECONNRESET"), 1);
        assert_eq!(causes.number("ETIMEDOUT"), 2);
        assert_eq!(causes.number("ECONNRESET"), 1);
        assert_eq!((causes.label(2), causes.label(0), causes.label(9)), ("ETIMEDOUT", "", ""));
        for i in 0..2 * MOST {
            causes.number(&i.to_string());
        }
        assert_eq!(causes.number("one more"), 0);
        assert_eq!(causes.number("ETIMEDOUT"), 2);
    }
}
