//! Adapters of the Store port.

mod memory;

pub use memory::MemoryStore;
