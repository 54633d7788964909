//! Shared helpers of the proofs.
