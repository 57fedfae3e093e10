//! Every fault in every phase of a cleaning.
