//! The rest of the Internet: DNS and the partner's mail server, in one process outside the mail host.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::{Lab, dns, net, sink};
use crate::topology::Place;

/// Serves until it is ended. A leased lab goes down when its owner does, however the owner ended: its standard input
/// is a pipe that the owner holds.
pub(crate) fn main(dir: &Path, leased: bool) -> Result<()> {
    let lab = Lab::open(dir)?;
    net::within(lab.prefix(), Place::Net, dns::serve)?;
    net::within(lab.prefix(), Place::Good, || sink::serve(&lab.partner_record()))?;
    writeln!(io::stdout(), "ready")?;
    if leased {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        lab.take_down()?;
        return Ok(fs::remove_dir_all(dir)?);
    }
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
