//! The contract of the Cloud port, kept by the IBM adapter: black box, against the simulator.

mod contract;
mod mess;
mod setup;
