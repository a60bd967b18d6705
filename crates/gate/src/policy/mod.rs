//! Postfix asks (policy delegation).

use std::cell::RefCell;
use std::rc::Rc;

use mailward_wire::policy::{Action, Decoder, Request};

use crate::door::{Limits, Seat, Service};
use crate::stream::Stream;
use crate::{State, clock};

/// Answers Postfix.
pub(crate) struct Desk {
    state: Rc<RefCell<State>>,
}

/// Read at once; a request is about 700 bytes.
const PIECE: usize = 4 << 10;

impl Desk {
    pub(crate) const fn new(state: Rc<RefCell<State>>) -> Self {
        Self { state }
    }

    fn answer(&self, request: &Request<'_>) -> Action {
        let state = self.state.borrow();
        match request.client() {
            Some(client) if state.bans.is_banned(client, clock()) => {
                Action::Reply("421 4.7.1 Service unavailable".to_owned())
            }
            _ => Action::Dunno,
        }
    }
}

impl Service for Desk {
    async fn converse(&self, mut stream: Stream, seat: &Seat, limits: Limits) {
        let (mut decoder, mut piece, mut out) = (Decoder::default(), [0; PIECE], Vec::new());
        loop {
            let patience = if decoder.is_amid() { limits.patience } else { limits.idle };
            let Ok(length @ 1..) = stream.read(&mut piece, patience).await else { return };
            decoder.push(piece.get(..length).unwrap_or_default());
            loop {
                let request = match decoder.next_request() {
                    Ok(Some(request)) => request,
                    Ok(None) => break,
                    // What is no request cannot be answered; Postfix goes on without us.
                    Err(_) => return,
                };
                seat.heard();
                self.answer(&request).write(&mut out);
                if stream.write(&out, limits.patience).await.is_err() {
                    return;
                }
                out.clear();
            }
        }
    }
}
