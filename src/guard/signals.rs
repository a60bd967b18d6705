//! SIGHUP reads the configuration again; SIGTERM and SIGINT end the daemon.

use std::sync::mpsc::Sender;

use anyhow::Context as _;
use mailward_source::Waker;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Message;

/// Listens on a thread of its own.
pub(super) fn listen(sender: Sender<Message>, waker: Waker) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let listen = move || {
        for signal in signals.forever() {
            let message = if signal == SIGHUP { Message::Reload } else { Message::Stop };
            if sender.send(message).is_err() {
                return;
            }
            waker.wake();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).context("cannot start a thread")?;
    Ok(())
}
