//! The partner's mail server: takes every message and remembers its subject.
//!
//! Recipients whose local part begins with `gone` are refused, as at any mail server.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::topology::{MTA, MTA6, PARTNER};

/// The line that a message leaves in the record: its subject.
type Record = Arc<Mutex<File>>;

/// Serves in the users' namespace; returns once the ports are bound.
pub(crate) fn serve(record: &Path) -> Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(record);
    let file = Arc::new(Mutex::new(file.with_context(|| format!("opening {}", record.display()))?));
    for address in [MTA.address, MTA6.address] {
        listen(address, &file)?;
    }
    Ok(())
}

fn listen(address: IpAddr, record: &Record) -> Result<()> {
    let listener = TcpListener::bind((address, 25)).with_context(|| format!("the partner at {address}"))?;
    let record = Arc::clone(record);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let record = Arc::clone(&record);
            thread::spawn(move || session(&stream, &record));
        }
    });
    Ok(())
}

fn session(stream: &TcpStream, record: &Record) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let (mut lines, mut out) = (BufReader::new(stream).lines(), stream);
    write!(out, "220 {PARTNER} ESMTP\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" | "HELO" => format!("250 {PARTNER}"),
            "RCPT" if line.contains("<gone") => "550 5.1.1 no such user here".to_owned(),
            "DATA" => {
                write!(out, "354 go ahead\r\n")?;
                let subject = take_message(&mut lines)?;
                let mut file = record.lock().unwrap_or_else(PoisonError::into_inner);
                writeln!(file, "{subject}")?;
                "250 2.0.0 taken".to_owned()
            }
            "QUIT" => {
                write!(out, "221 2.0.0 bye\r\n")?;
                return Ok(());
            }
            _ => "250 2.0.0 ok".to_owned(),
        };
        write!(out, "{answer}\r\n")?;
    }
    Ok(())
}

fn take_message(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Result<String> {
    let mut subject = String::new();
    for line in lines {
        let line = line?;
        if line == "." {
            break;
        }
        if let Some(text) = line.strip_prefix("Subject: ").filter(|_| subject.is_empty()) {
            text.clone_into(&mut subject);
        }
    }
    Ok(subject)
}
