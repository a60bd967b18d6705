//! Standard output, on a thread of its own: whoever reads it may stand still, and the guard must not.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where lines go. What the reader does not take waits, up to a bound; further lines are counted, and the number is told
/// in their place as soon as the reader goes on.
#[derive(Debug)]
pub(super) struct Outlet {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<u8>,
    /// Lines that came after those, and for which there was no room.
    lost: u64,
    /// Whether earlier ones are being written.
    busy: bool,
}

/// Bytes that wait at the most: some ten thousand lines.
const MOST: usize = 4 << 20;

impl Outlet {
    /// Begins to write to `out`; `told` makes the line about so many lost ones.
    pub(super) fn open(
        out: impl Write + Send + 'static,
        told: impl Fn(u64) -> String + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("output".into()).spawn(move || theirs.write(out, told))?;
        Ok(Self { shared })
    }

    /// Takes a line; never waits.
    pub(super) fn line(&self, text: &str) {
        let mut queue = self.shared.lock();
        if queue.lost > 0 || queue.waiting.len() + text.len() >= MOST {
            queue.lost += 1;
            return;
        }
        queue.waiting.extend_from_slice(text.as_bytes());
        queue.waiting.push(b'\n');
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Takes the last line, after all that waits: a reader that has just gone on hears it, too. Waits until it is
    /// written, but not for ever.
    pub(super) fn last(&self, text: &str, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.finish(deadline);
        self.line(text);
        self.finish(deadline);
    }

    fn finish(&self, deadline: Instant) {
        let mut queue = self.shared.lock();
        while queue.busy || !queue.waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.shared.changed.wait_timeout(queue, left);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn write(&self, mut out: impl Write, told: impl Fn(u64) -> String) {
        let mut lines = Vec::new();
        loop {
            let lost = self.next(&mut lines);
            if lost > 0 {
                lines.extend_from_slice(told(lost).as_bytes());
                lines.push(b'\n');
            }
            // It may be gone; the guard goes on.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
        }
    }

    /// Takes what waits, as soon as something does; tells how many lines were lost behind it.
    fn next(&self, lines: &mut Vec<u8>) -> u64 {
        let mut queue = self.lock();
        queue.busy = false;
        self.changed.notify_all();
        while queue.waiting.is_empty() {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.busy = true;
        std::mem::swap(lines, &mut queue.waiting);
        std::mem::take(&mut queue.lost)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that takes one write whenever it is told to.
    struct Reader {
        go_on: Receiver<()>,
        read: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.go_on.recv();
            let _ = self.read.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up_and_hears_how_much_it_missed() {
        let ((go, go_on), (read, heard)) = (channel(), channel());
        let outlet = Outlet::open(Reader { go_on, read }, |lost| format!("{lost} lost")).unwrap();
        let line = "x".repeat(999);
        let room = (MOST / 1_000) as u64;
        // The first lines may be on their way already, and then leave room for as many.
        for _ in 0..3 * room {
            outlet.line(&line);
        }
        outlet.finish(Instant::now());
        drop(go);
        outlet.last("afterwards", Duration::from_secs(30));
        let text = String::from_utf8(heard.try_iter().flatten().collect()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let told: Vec<&&str> = lines.iter().filter(|line| line.ends_with("lost")).collect();
        let lost: u64 = told.iter().map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        let whole = lines.iter().filter(|said| **said == line).count() as u64;
        assert!(whole >= room - 1 && whole <= 2 * room, "{whole}");
        assert_eq!(whole + lost, 3 * room);
        assert_eq!(lines.len() as u64, whole + told.len() as u64 + 1);
        assert_eq!(lines.last(), Some(&"afterwards"));
    }
}
