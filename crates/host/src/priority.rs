//! Who comes first when there is too little of a processor.

/// Lets this thread wait for others: setpriority(2) with a thread's number means that thread alone on Linux.
pub fn step_back() {
    // It works just as well without, a little more in the way.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10);
}
