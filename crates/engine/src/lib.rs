//! parse, detect and decide as one pure function.
