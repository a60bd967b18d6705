//! A netlink socket to nf_tables.
//!
//! The kernel works on a request while it is being sent: when `send` returns, every answer is already in the receive
//! queue. So nothing here ever blocks, and an answer that is not there was lost.

use std::io;
use std::os::fd::AsFd;

use netlink_sys::{Socket, protocols::NETLINK_NETFILTER};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

use crate::message::{Attributes, Message, Messages, Sealed, Writer, flags};

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The kernel refused a message.
    Refused(Refusal),
    /// The kernel gave no answer: its receive queue overflowed, or a dump was cut off.
    Lost,
    /// The socket itself failed.
    Socket { action: &'static str, errno: io::Error },
}

/// A message that the kernel refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) sequence: u32,
    pub(crate) errno: Errno,
    /// The kernel's own words (`NLMSGERR_ATTR_MSG`), often empty.
    pub(crate) words: String,
    /// Where in the message the offending attribute begins (`NLMSGERR_ATTR_OFFS`).
    pub(crate) offset: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Channel {
    socket: Socket,
    port: u32,
    sequence: u32,
    most: usize,
    /// Transactions that were carried out.
    transactions: u32,
    buffer: Vec<u8>,
}

impl Channel {
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut socket = Socket::new(NETLINK_NETFILTER).map_err(at("open a socket"))?;
        let address = socket.bind_auto().map_err(at("bind"))?;
        socket.set_cap_ack(true).map_err(at("ask for short acknowledgements"))?;
        socket.set_ext_ack(true).map_err(at("ask for long error messages"))?;
        // Forcing needs CAP_NET_ADMIN outside of user name spaces; without it the limit of net.core.wmem_max holds.
        if sockopt::set_socket_send_buffer_size_force(&socket, SEND_BUFFER).is_err() {
            let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
        }
        if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        }
        let granted = sockopt::socket_send_buffer_size(&socket).unwrap_or(SMALLEST_SEND_BUFFER);
        let most = (granted / 4 * 3).min(SEND_BUFFER);
        Ok(Self {
            socket,
            port: address.port_number(),
            sequence: 1,
            most,
            transactions: 0,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// The address of this socket; notifications carry it for changes made here.
    pub(crate) const fn port(&self) -> u32 {
        self.port
    }

    /// How many transactions were carried out.
    pub(crate) const fn transactions(&self) -> u32 {
        self.transactions
    }

    /// How many bytes a transaction may have.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    /// As if the system granted only so large a send buffer.
    #[cfg(test)]
    pub(crate) const fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// Begins a transaction.
    pub(crate) fn transaction(&self) -> Writer {
        Writer::transaction(self.sequence)
    }

    /// Carries out a transaction.
    pub(crate) fn commit(&mut self, transaction: Writer) -> Result<(), (Failure, Sealed)> {
        self.sequence = transaction.next_sequence().wrapping_add(1);
        let sealed = transaction.commit();
        match self.settle(&sealed) {
            Ok(()) => {
                self.transactions = self.transactions.wrapping_add(1);
                Ok(())
            }
            Err(failure) => Err((failure, sealed)),
        }
    }

    /// Asks for something and hands every message of the answer to `each`. Tells whether the ruleset stood still
    /// meanwhile: if not, a dump may miss elements or tell them twice.
    pub(crate) fn ask(
        &mut self,
        kind: u8,
        request_flags: u16,
        body: impl FnOnce(&mut Writer),
        mut each: impl FnMut(Message<'_>),
    ) -> Result<bool, Failure> {
        let mut writer = Writer::new(self.sequence);
        writer.message(kind, request_flags, body);
        self.sequence = writer.next_sequence();
        let sealed = writer.request();
        self.send(&sealed)?;
        let mut still = true;
        while let Some(size) = self.receive()? {
            for message in Messages(self.buffer.get(..size).unwrap_or_default()) {
                if message.sequence != sealed.awaited {
                    continue;
                }
                still &= message.flags & flags::DUMP_INTERRUPTED == 0;
                match message.kind {
                    DONE | ERROR => return refusal(message).map_or(Ok(still), |r| Err(Failure::Refused(r))),
                    _ => each(message),
                }
            }
        }
        if request_flags & flags::DUMP == flags::DUMP { Err(Failure::Lost) } else { Ok(still) }
    }

    fn settle(&mut self, sealed: &Sealed) -> Result<(), Failure> {
        self.send(sealed)?;
        let mut done = false;
        let mut refused = None;
        while let Some(size) = self.receive()? {
            for message in Messages(self.buffer.get(..size).unwrap_or_default()) {
                if message.kind != ERROR {
                    continue;
                }
                match refusal(message) {
                    Some(refusal) => refused = refused.or(Some(refusal)),
                    None => done |= message.sequence == sealed.awaited,
                }
            }
        }
        match refused {
            Some(refusal) => Err(Failure::Refused(refusal)),
            None if done => Ok(()),
            None => Err(Failure::Lost),
        }
    }

    fn send(&mut self, sealed: &Sealed) -> Result<(), Failure> {
        // What an earlier request that failed halfway left behind.
        while matches!(self.receive(), Ok(Some(_)) | Err(Failure::Lost)) {}
        loop {
            match send(&self.socket, &sealed.bytes, SendFlags::empty()) {
                Err(Errno::INTR) => {}
                result => return result.map(drop).map_err(|errno| at("send")(errno.into())),
            }
        }
    }

    fn receive(&mut self) -> Result<Option<usize>, Failure> {
        receive(&self.socket, &mut self.buffer)
    }
}

/// The next datagram that is there, if one is.
pub(crate) fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
    loop {
        match recv(socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((size, _)) => return Ok(Some(size)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::NOBUFS) => return Err(Failure::Lost),
            Err(errno) => return Err(at("receive")(errno.into())),
        }
    }
}

/// Says what was being done when the system refused it.
pub(crate) fn at(action: &'static str) -> impl Fn(io::Error) -> Failure {
    move |errno| Failure::Socket { action, errno }
}

/// `NLMSG_ERROR` carries an error number, 0 for an acknowledgement, the header of the message that it is about, and
/// attributes (`NLM_F_ACK_TLVS`).
fn refusal(message: Message<'_>) -> Option<Refusal> {
    let (code, rest) = message.payload.split_first_chunk::<4>()?;
    let code = i32::from_ne_bytes(*code);
    if code == 0 {
        return None;
    }
    let attributes = Attributes(rest.get(16..).unwrap_or_default());
    let words = attributes.text(ERROR_WORDS).map(|text| String::from_utf8_lossy(text).into_owned());
    let offset = attributes.value(ERROR_OFFSET).and_then(|value| value.try_into().ok());
    Some(Refusal {
        sequence: message.sequence,
        errno: Errno::from_raw_os_error(code.saturating_neg()),
        words: words.unwrap_or_default(),
        offset: offset.map(|bytes| u32::from_ne_bytes(bytes) as usize),
    })
}

/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLMSGERR_ATTR_MSG` and `_OFFS`.
const ERROR_WORDS: u16 = 1;
const ERROR_OFFSET: u16 = 2;

/// Room for a transaction of some 200,000 elements; memory is only taken while one is being sent.
const SEND_BUFFER: usize = 8 << 20;
const RECEIVE_BUFFER: usize = 1 << 20;
const SMALLEST_SEND_BUFFER: usize = 4096;
/// The kernel fills dumps up to 32 kB when it sees that much room (`netlink_dump`).
const DATAGRAM: usize = 64 << 10;
