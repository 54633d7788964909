//! How a front chooses, from the numbers of JavaScript.

use seawall::balance::{BalanceConfig, BalanceOptions, Balancer};
use seawall::door::numbers;

use crate::options::refused;

/// The configuration in `options`, the numbers of [`BalanceOptions`]; else what to answer, after the
/// refusal was noted.
pub(super) fn balance_config(options: &[f64]) -> Result<BalanceConfig, f64> {
    let config = numbers::read::<BalanceOptions>(options).build();
    config
        .and_then(|config| Balancer::new(config).map(|_| config))
        .map_err(|problem| refused(&problem))
}
