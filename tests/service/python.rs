//! IBM's own SDK, in Python.
